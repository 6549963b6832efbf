"""The one place where databases differ: column types, connections, how a transaction begins, what errors mean."""

import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

WAIT_SECONDS = 120
"""How long a writer waits for the others; a bulk of a million models holds the registry for about a minute."""

COLUMN_TYPES: Mapping[str, str] = {
    "key": "INTEGER PRIMARY KEY",
    "integer": "INTEGER",
    "real": "REAL",
    "text": "TEXT",
    "blob": "BLOB",
    "rows": "STRICT",
    "rows_by_key": "STRICT, WITHOUT ROWID",
}
"""What the migrations' placeholders mean; `rows_by_key`: stored in the order of the primary key."""

_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: a plain fsync leaves the bytes in the drive's cache
    "temp_store = MEMORY",
    "cache_size = -65536",
)

_ADVICE: Mapping[str, str] = {
    "locked": f"another process has been writing for over {WAIT_SECONDS} s: wait for it or stop it, then repeat",
    "full": "nothing was changed: free space on its disk, then repeat",
    "disk I/O": "nothing was changed: check its disk and the space left there, then repeat",
    "readonly": "the file and its folder must be writable",
    "unable to open": "the file and its folder must be readable and writable",
    "malformed": "it is damaged: restore it from a copy, or remove it and add the models again",
    "not a database": "it is damaged or no registry: name another with --registry",
    "no such table": "it is damaged or no registry: name another with --registry",
}


def engine_for(path: Path) -> Engine:
    """An engine on an SQLite file that exists; connections carry every setting that a registry relies on."""
    engine = create_engine("sqlite://", creator=partial(_connect, path), poolclass=QueuePool)
    event.listen(engine, "begin", _begin)
    return engine


def for_writing(engine: Engine) -> Engine:
    """The same engine for transactions that write: they queue up at their beginning, never in their middle."""
    return engine.execution_options(lineal_writes=True)


def advice(reason: str) -> str:
    """What to do about a database's complaint."""
    return next((text for sign, text in _ADVICE.items() if sign in reason), "nothing was changed")


def damage(connection: Connection) -> Iterator[str]:
    """What the database itself finds wrong with its pages, indexes and references."""
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield f"database: {said}"
    for table, row, other, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"database: row {row} of {table} refers to something that {other} does not hold"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    for pragma in _PRAGMAS:
        _ = connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        _ = connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("lineal_writes", False)
    _ = connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
