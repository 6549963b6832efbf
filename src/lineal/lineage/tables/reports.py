"""Reports of quantizations in the registry: what a step's rounding cost each tensor."""

import json
from collections.abc import Iterable, Mapping

from lineal.derivation.canonical import Json, canonical_json
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import row_of
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import execute_each
from lineal.lineage.records.quantization_report import QuantizationReport, report_of
from lineal.lineage.records.records import StepRecord
from lineal.lineage.records.rounding import Rounding
from lineal.lineage.tables import models

_OF_MODEL = """
    SELECT step_id, rounding FROM quantization_report JOIN step ON step.id = step_id JOIN model ON model.id = child_id
    WHERE model_hash = :model_hash ORDER BY step_id LIMIT 1
"""


def keep(connection: Connection, records: Iterable[StepRecord]) -> None:
    """Write what known steps come with; what is written again is replaced."""
    statement = """
        INSERT INTO quantization_report (step_id, rounding)
        SELECT step.id, :rounding FROM step JOIN model ON model.id = child_id
        WHERE derivation_id = :derivation_id AND model_hash = :child
        ON CONFLICT (step_id) DO UPDATE SET rounding = excluded.rounding
    """
    rows: list[dict[str, object]] = [
        {"rounding": _written(record.rounding), "derivation_id": record.step.derivation_id, "child": record.child}
        for record in records
        if record.rounding is not None
    ]
    if rows:
        with sealed(connection, ["quantization_report"], {row["derivation_id"] for row in rows}):
            execute_each(connection, statement, rows)


def of_model(connection: Connection, model_hash: bytes) -> QuantizationReport | None:
    """Of the first quantization that gave the model and has one."""
    row = connection.execute(_OF_MODEL, {"model_hash": model_hash}).first()
    if row is None:
        return None
    leaves = models.manifest(connection, model_hash).leaves
    with row_of("quantization_report", row.step_id):
        return report_of(leaves, {name: Rounding.from_json(one) for name, one in json.loads(row.rounding).items()})


def _written(roundings: Mapping[str, Rounding]) -> str:
    figures: dict[str, Json] = {name: one.to_json() for name, one in roundings.items()}
    return canonical_json(figures).decode()
