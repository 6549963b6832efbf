"""Data that must not be used, and with it every model that was made on it: found by content when one asks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from lineal.derivation.hashes import check_hash, format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.seals import sealed
from lineal.lineage.registry import Registry
from lineal.lineage.tables import data_files, journal, taints
from lineal.lineage.tables.names import shortened

_STANDING = "SELECT data_hash, reason, source, created FROM data_taint WHERE cleared IS NULL ORDER BY id"
_ALL = "SELECT data_hash, reason, source, cleared_because FROM data_taint"
_ADD = "INSERT INTO data_taint (data_hash, reason, source, created) VALUES (:data_hash, :reason, :source, :created)"
_CLEAR = """
    UPDATE data_taint SET cleared = :cleared, cleared_because = :reason
    WHERE data_hash = :data_hash AND cleared IS NULL
"""


@final
@dataclass(frozen=True)
class DataTaint:
    """reached: how many models were made on it, or from one that was; created: seconds since 1970."""

    name: str
    data: bytes
    reason: str
    source: str
    created: float
    reached: int


def add(registry: Registry, data: bytes, reason: str, source: str) -> int:
    """Taint a data file by its content; how many models that reaches so far."""
    if not reason.strip():
        raise UsageError("a taint needs a reason")
    with registry.writing() as connection, sealed(connection, ["data_taint"], [data]):
        row = {"data_hash": check_hash(data), "reason": reason, "source": source, "created": time.time()}
        _ = connection.execute(_ADD, row)
        change = {"change": "taint", "data": format_hash(data), "reason": reason, "source": source, "name": None}
        journal.append(connection, change)
        return data_files.count_reached(connection, data)


def clear(registry: Registry, data: bytes, reason: str) -> int:
    """Take back what taints a data file; how many taints that were."""
    if not reason.strip():
        raise UsageError("clearing needs a reason")
    with registry.writing() as connection, sealed(connection, ["data_taint"], [data]):
        row = {"cleared": time.time(), "reason": reason, "data_hash": check_hash(data)}
        count = connection.execute(_CLEAR, row).rowcount
        if count:
            change = {"change": "clear", "data": format_hash(data), "reason": reason, "name": None}
            journal.append(connection, change)
        return count


def standing(connection: Connection) -> tuple[DataTaint, ...]:
    """Every taint of data that stands."""
    rows = connection.execute(_STANDING).all()
    return tuple(
        DataTaint(
            data_files.name_of(connection, row.data_hash) or shortened(row.data_hash),
            row.data_hash,
            row.reason,
            row.source,
            row.created,
            data_files.count_reached(connection, row.data_hash),
        )
        for row in rows
    )


def faults(connection: Connection) -> Iterator[str]:
    """Where taints of data are not those that the journal says."""
    yield from taints.differences(connection, "data", connection.execute(_ALL))
