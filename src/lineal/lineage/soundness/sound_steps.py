"""Whether what the registry says of each step follows from the step itself: its id, its edges, their directions."""

from collections.abc import Iterator

from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Step
from lineal.errors import DerivationError, LinealError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import IllFormedRow
from lineal.lineage.database.statements import batches
from lineal.lineage.tables import edges, steps
from lineal.lineage.tables.order import in_order

_EDGES = """
    SELECT DISTINCT step_id AS "step" FROM step_input JOIN step ON step.id = step_id
    WHERE coalesce(CASE WHEN reproduces = 0 THEN step.child_id END, 0) <> coalesce(step_input.child_id, 0)
"""
_POSITIONS = """
    SELECT step_id AS "step" FROM {table} GROUP BY step_id
    HAVING min(position) <> 0 OR max(position) <> count(*) - 1
"""
_SHARES = """
    SELECT id AS "step" FROM step WHERE (evidence = 'replayed') <> (share IS NOT NULL)
"""


def faults(connection: Connection) -> Iterator[str]:
    yield from _ids(connection)
    for step in connection.execute(_EDGES).scalars():
        yield f"step {step}: an edge does not lead from its input to its child"
    for table in ("step_input", "step_data"):
        for step in connection.execute(_POSITIONS.format(table=table)).scalars():
            yield f"step {step}: the places of {table} are not counted from 0"
    for step in connection.execute(_SHARES).scalars():
        yield f"step {step}: a share of tensors goes with the grade replayed, and with no other"
    yield from _cycles(connection)


def _ids(connection: Connection) -> Iterator[str]:
    recorded: dict[bytes, list[bytes]] = {}
    query = "SELECT model_hash, derivation_id FROM step JOIN model ON model.id = child_id ORDER BY step.id"
    for child, derivation_id in connection.execute(query):
        recorded.setdefault(child, []).append(derivation_id)
    for batch in batches(recorded):
        try:
            made = steps.of_children(connection, batch)
        except (LinealError, IllFormedRow) as error:
            yield f"steps: {error}"
            continue
        for child, known in ((child, recorded[child]) for child in batch):
            if [_derivation(record.step) for record in made.get(child, ())] != known:
                yield f"{format_hash(child)[:11]}: a step that gave it does not give its derivation id"


def _cycles(connection: Connection) -> Iterator[str]:
    known = edges.all_edges(connection)
    keys = dict.fromkeys([*known, *(parent for above in known.values() for parent in above)])
    if len(in_order(known, keys)) < len(keys):
        yield "steps: their edges lead in a circle"


def _derivation(step: Step) -> bytes:
    try:
        return step.derivation_id
    except DerivationError:
        return b""
