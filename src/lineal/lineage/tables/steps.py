"""Steps in the registry: what was done, which child it gave, and whether that makes an edge of the graph."""

import json
from collections.abc import Iterable

from lineal.derivation.canonical import canonical_json
from lineal.derivation.step import DataFile, Input, Step
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection, Row
from lineal.lineage.database.domains import row_of
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import execute_each, insert, rows_for
from lineal.lineage.records.evidence import Evidence, raised
from lineal.lineage.records.records import Inference, StepRecord
from lineal.lineage.tables import models

_OF_CHILDREN = """
    SELECT step.id, model_hash, type, step.method, version AS method_version, rules, options, evidence, content,
        seconds, created, reproduces, share, inference.method AS inferred_by, score, p_value,
        reason AS inferred_because
    FROM step JOIN model ON model.id = child_id JOIN environment ON environment.id = environment_id
        LEFT JOIN inference ON inference.step_id = step.id
    WHERE model_hash IN :values ORDER BY step.id
"""
_INPUTS = """
    SELECT step_id, role, model_hash FROM step_input JOIN model ON model.id = model_id
    WHERE step_id IN :values ORDER BY step_id, position
"""
_DATA = """
    SELECT step_id, name, data_hash FROM step_data JOIN data_file ON data_file.id = data_file_id
    WHERE step_id IN :values ORDER BY step_id, position
"""
_ENVIRONMENTS = Insertion("environment", {"content": "text"}, on_conflict="ON CONFLICT DO NOTHING")


def of_children(connection: Connection, children: Iterable[bytes]) -> dict[bytes, list[StepRecord]]:
    """The steps that gave each of these models, first recorded first."""
    rows = list(rows_for(connection, _OF_CHILDREN, children))
    step_ids = [row.id for row in rows]
    inputs: dict[int, list[Input]] = {}
    for step_id, role, model_hash in rows_for(connection, _INPUTS, step_ids):
        inputs.setdefault(step_id, []).append(Input(role, model_hash))
    data: dict[int, list[DataFile]] = {}
    for step_id, name, data_hash in rows_for(connection, _DATA, step_ids):
        with row_of("step_data", step_id):
            data.setdefault(step_id, []).append(DataFile(name, data_hash))
    records: dict[bytes, list[StepRecord]] = {}
    for row in rows:
        with row_of("step", row.id):
            record = _record(row, tuple(inputs.get(row.id, ())), tuple(data.get(row.id, ())))
        records.setdefault(row.model_hash, []).append(record)
    return records


def _record(row: Row, inputs: tuple[Input, ...], data: tuple[DataFile, ...]) -> StepRecord:
    step = Step(
        type=row.type,
        method=row.method,
        version=row.method_version,
        rules=row.rules,
        inputs=inputs,
        options=json.loads(row.options),
        data=data,
    )
    found = None
    if row.inferred_by is not None:
        if row.inferred_because is None:
            raise ValueError("it does not say why it was inferred")
        found = Inference(row.inferred_by, row.score, row.p_value, row.inferred_because)
    return StepRecord(
        step,
        row.model_hash,
        Evidence(row.evidence),
        json.loads(row.content),
        row.seconds,
        row.created,
        bool(row.reproduces),
        row.share,
        found,
    )


def derived(connection: Connection, derivation_id: bytes) -> tuple[bytes, ...]:
    """The children known for a derivation, first recorded first: more than one means that it is not reproducible."""
    return tuple(children_of(connection, [derivation_id]).get(derivation_id, ()))


def children_of(connection: Connection, derivation_ids: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    query = """
        SELECT derivation_id, model_hash FROM step JOIN model ON model.id = child_id
        WHERE derivation_id IN :values ORDER BY step.id
    """
    children: dict[bytes, list[bytes]] = {}
    for derivation_id, child in rows_for(connection, query, derivation_ids):
        children.setdefault(derivation_id, []).append(child)
    return children


def raise_evidence(connection: Connection, record: StepRecord, grade: Evidence, share: float | None) -> Evidence:
    """Attest a known step better than before; the grade that stands afterwards."""
    step_id, known, known_share = _standing(connection, record)
    new_grade, new_share = raised((known, known_share), grade, share)
    statement = "UPDATE step SET evidence = :evidence, share = :share WHERE id = :id"
    with sealed(connection, ["step"], [record.step.derivation_id]):
        _ = connection.execute(statement, {"evidence": new_grade.value, "share": new_share, "id": step_id})
    return new_grade


def witness(connection: Connection, record: StepRecord, environment_id: int) -> None:
    """Let a better attested account of a known step replace the lesser one: a claim, once lineal has run it."""
    step_id, grade, _ = _standing(connection, record)
    if grade is Evidence.CONTRADICTED or not grade < record.evidence:
        return
    statement = """
        UPDATE step SET evidence = :evidence, share = :share, seconds = :seconds, created = :created,
            environment_id = :environment_id
        WHERE id = :id
    """
    row = {
        "evidence": record.evidence.value,
        "share": record.share,
        "seconds": record.seconds,
        "created": record.created,
        "environment_id": environment_id,
        "id": step_id,
    }
    _ = connection.execute(statement, row)


def explain(connection: Connection, records: Iterable[StepRecord]) -> None:
    """Write by what known steps were inferred; what is written again is replaced."""
    statement = """
        INSERT INTO inference (step_id, method, score, p_value, reason)
        SELECT step.id, :method, :score, :p_value, :reason FROM step JOIN model ON model.id = child_id
        WHERE derivation_id = :derivation_id AND model_hash = :child
        ON CONFLICT (step_id) DO UPDATE SET method = excluded.method, score = excluded.score,
            p_value = excluded.p_value, reason = excluded.reason
    """
    rows: Iterable[dict[str, object]] = (
        {**record.inference.to_json(), "derivation_id": record.step.derivation_id, "child": record.child}
        for record in records
        if record.inference is not None
    )
    execute_each(connection, statement, rows)


def environment_keys(connection: Connection, records: Iterable[StepRecord]) -> list[int]:
    """The keys of the environments that these steps ran in, step by step; each environment is stored once."""
    distinct = {id(record.environment): record.environment for record in records}  # many steps share the same one
    written = {key: canonical_json(environment).decode() for key, environment in distinct.items()}
    contents = [written[id(record.environment)] for record in records]
    insert(connection, _ENVIRONMENTS, ((content,) for content in dict.fromkeys(contents)))
    query = "SELECT content, id FROM environment WHERE content IN :values"
    keys = dict(rows_for(connection, query, set(contents)))
    return [keys[content] for content in contents]


def _standing(connection: Connection, record: StepRecord) -> tuple[int, Evidence, float | None]:
    query = """
        SELECT step.id, evidence, share FROM step
        WHERE derivation_id = :derivation_id AND child_id = :child_id
    """
    child_id = models.key(connection, record.child)
    wanted = {"derivation_id": record.step.derivation_id, "child_id": child_id}
    row = connection.execute(query, wanted).first()
    if row is None:
        raise UsageError(
            f"evidence: the step {record.step.method} with this child is not in the registry: record it first"
        )
    return row.id, Evidence(row.evidence), row.share
