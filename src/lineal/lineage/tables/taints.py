"""Models that must not be used, and all that was made from them: found when one asks, never copied along."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, final

from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection, Row
from lineal.lineage.database.seals import sealed
from lineal.lineage.tables import edges, journal, models
from lineal.lineage.tables.edges import DOWN

_STANDING = """
    SELECT model_hash, reason, source, taint.created FROM taint JOIN model ON model.id = model_id
    WHERE cleared IS NULL
"""
_ABOVE = f"""
    WITH RECURSIVE reached (id) AS (
        SELECT id FROM model WHERE id = :start
        UNION
        SELECT model_id FROM reached JOIN step_input ON child_id = reached.id
    )
    {_STANDING} AND model_id IN (SELECT id FROM reached) ORDER BY taint.id
"""
_DATA_ABOVE = """
    WITH RECURSIVE reached (id) AS (
        SELECT id FROM model WHERE id = :start
        UNION
        SELECT model_id FROM reached JOIN step_input ON child_id = reached.id
    )
    SELECT model_hash, reason, source, data_taint.created, name
    FROM data_taint JOIN data_file ON data_file.data_hash = data_taint.data_hash
    JOIN step_data ON data_file_id = data_file.id JOIN step ON step.id = step_id JOIN model ON model.id = child_id
    WHERE cleared IS NULL AND reproduces = 0 AND child_id IN (SELECT id FROM reached) ORDER BY data_taint.id, step.id
"""


@final
@dataclass(frozen=True)
class Taint:
    """model: the one that was tainted, which need not be the one that was asked for; created: seconds since 1970.

    data: what is tainted is not the model itself but this file that it was made on.
    """

    model: bytes
    reason: str
    source: str
    created: float
    data: str | None = None


def add(connection: Connection, model: bytes, reason: str, source: str) -> None:
    """Taint a model, and with it everything that was or will be made from it."""
    if not reason.strip():
        raise UsageError("a taint needs a reason")
    statement = """
        INSERT INTO taint (model_id, reason, source, created) VALUES (:model_id, :reason, :source, :created)
    """
    row = {"model_id": models.key(connection, model), "reason": reason, "source": source, "created": time.time()}
    change = {"change": "taint", "model": format_hash(model), "reason": reason, "source": source, "name": None}
    with sealed(connection, ["taint"], [model]):
        _ = connection.execute(statement, row)
        journal.append(connection, change)


def clear(connection: Connection, model: bytes, reason: str) -> int:
    """Take back what taints this very model; how many taints that were. Those of its ancestors stand."""
    if not reason.strip():
        raise UsageError("clearing needs a reason")
    statement = """
        UPDATE taint SET cleared = :cleared, cleared_because = :reason WHERE model_id = :model_id AND cleared IS NULL
    """
    row = {"cleared": time.time(), "reason": reason, "model_id": models.key(connection, model)}
    with sealed(connection, ["taint"], [model]):
        count = connection.execute(statement, row).rowcount
        if count:
            change = {"change": "clear", "model": format_hash(model), "reason": reason, "name": None}
            journal.append(connection, change)
    return count


def of_model(connection: Connection, model: bytes) -> tuple[Taint, ...]:
    """What taints a model: its own taints and those of everything that it goes back to, then those of their data."""
    start = {"start": models.key(connection, model)}
    found = [*connection.execute(_ABOVE, start), *connection.execute(_DATA_ABOVE, start)]
    return tuple(dict.fromkeys(Taint(*row) for row in found))


def standing(connection: Connection) -> tuple[tuple[Taint, int], ...]:
    """Every taint that stands, and how many models it reaches beside its own."""
    found = [Taint(*row) for row in connection.execute(f"{_STANDING} ORDER BY taint.id")]
    reached = {
        model: edges.count(connection, models.key(connection, model), DOWN)
        for model in {taint.model for taint in found}
    }
    return tuple((taint, reached[taint.model]) for taint in found)


def faults(connection: Connection) -> Iterator[str]:
    """Where taints of models are not those that the journal says."""
    query = "SELECT model_hash, reason, source, cleared_because FROM taint JOIN model ON model.id = model_id"
    yield from differences(connection, "model", connection.execute(query))


def differences(connection: Connection, kind: Literal["model", "data"], rows: Iterable[Row]) -> Iterator[str]:
    """Of taints of models or of data, (hash, reason, source, why cleared or None): where the journal says others."""
    said: dict[str, list[tuple[str, str, str | None]]] = {}
    for entry in reversed(journal.entries(connection)):
        about, reason = str(entry.change.get(kind)), str(entry.change.get("reason"))
        match entry.change.get("change"):
            case "taint" if kind in entry.change:
                said.setdefault(about, []).append((reason, str(entry.change.get("source")), None))
            case "clear" if kind in entry.change:
                said[about] = [(*told[:2], told[2] or reason) for told in said.get(about, ())]
            case _:
                pass  # of something else
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for digest, *told in rows:
        found.setdefault(format_hash(digest), []).append((told[0], told[1], told[2]))
    for about in dict.fromkeys([*said, *found]):
        if Counter(said.get(about, ())) != Counter(found.get(about, ())):
            counts = [sum(told[2] is None for told in known.get(about, ())) for known in (said, found)]
            yield (
                f"{kind} {about[:11]}: the journal says {counts[0]} standing taints, the registry {counts[1]}"
                if counts[0] != counts[1]
                else f"{kind} {about[:11]}: its taints are not those that the journal says"
            )
