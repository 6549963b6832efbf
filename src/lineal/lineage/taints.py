"""Models that must not be used, and all that was made from them: found when one asks, never copied along."""

import time
from dataclasses import dataclass
from typing import final

from sqlalchemy import Connection, text

from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage import edges, journal, models
from lineal.lineage.edges import DOWN

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
    _ = connection.execute(text(statement), row)
    journal.append(
        connection, {"change": "taint", "model": format_hash(model), "reason": reason, "source": source, "name": None}
    )


def clear(connection: Connection, model: bytes, reason: str) -> int:
    """Take back what taints this very model; how many taints that were. Those of its ancestors stand."""
    if not reason.strip():
        raise UsageError("clearing needs a reason")
    statement = """
        UPDATE taint SET cleared = :cleared, cleared_because = :reason WHERE model_id = :model_id AND cleared IS NULL
    """
    row = {"cleared": time.time(), "reason": reason, "model_id": models.key(connection, model)}
    count = connection.execute(text(statement), row).rowcount
    if count:
        change = {"change": "clear", "model": format_hash(model), "reason": reason, "name": None}
        journal.append(connection, change)
    return count


def of_model(connection: Connection, model: bytes) -> tuple[Taint, ...]:
    """What taints a model: its own taints and those of everything that it goes back to, then those of their data."""
    start = {"start": models.key(connection, model)}
    found = [*connection.execute(text(_ABOVE), start), *connection.execute(text(_DATA_ABOVE), start)]
    return tuple(dict.fromkeys(Taint(*row) for row in found))


def standing(connection: Connection) -> tuple[tuple[Taint, int], ...]:
    """Every taint that stands, and how many models it reaches beside its own."""
    found = [Taint(*row) for row in connection.execute(text(f"{_STANDING} ORDER BY taint.id"))]
    reached = {
        model: edges.count(connection, models.key(connection, model), DOWN)
        for model in {taint.model for taint in found}
    }
    return tuple((taint, reached[taint.model]) for taint in found)
