"""A registry in an SQLite file: beside it lies what goes with it."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import final

from lineal.errors import RegistryError
from lineal.lineage.database.blueprint import SQLITE_PARTS, SQLITE_WORDS, differences, named_parts, sqlite_blueprint
from lineal.lineage.database.connection import Connection, Connections
from lineal.lineage.database.dialect import WAIT_SECONDS, Dialect, nothing_there
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.sqlite_connection import SqliteConnections
from lineal.shown import quoted
from lineal.system_words import reason, told

_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: a plain fsync leaves the bytes in the drive's cache
    "temp_store = MEMORY",
    "cache_size = -65536",
)

_ALTERED = "it is damaged or no registry: lineal check says what is missing, --registry names another"
_TOLD: Mapping[str, str] = MappingProxyType({
    "locked": f"another process has been writing to it for over {WAIT_SECONDS} s: wait for it or stop it, then repeat",
    "full": "no room left on its disk; nothing was changed: make room, then repeat",
    "disk I/O": "its disk fails; nothing was changed: check it and the space left there, then repeat",
    "readonly": "may not be written; the file and its folder must be writable",
    "unable to open": "cannot be opened; the file and its folder must be readable and writable",
    "malformed": "it is damaged: restore it from a copy, or remove it and add the models again",
    "not a database": "it is damaged or no registry: name another with --registry",
    "no such table": _ALTERED,
    "no such column": _ALTERED,
    "decode to UTF-8": "it holds text that is not UTF-8: lineal check says where",
})  # fmt: skip
"""By what SQLite says, of which there is no end; what is rarer is told in its words."""

_BESIDE = ("-journal", "-wal", "-shm")
_BEGINNING = b"SQLite format 3\0"


@final
@dataclass(frozen=True)
class SqliteFile:
    """path: of the file, whether it exists or not."""

    path: Path

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def words(self) -> Mapping[str, str]:
        return SQLITE_WORDS

    def make(self, build: Callable[[Dialect], None]) -> None:
        """Built beside under the folder's lock, then renamed into place: whole or not there at all."""
        if self.path.exists():
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise RegistryError(f"no registry can be made at {self.path}: {told(error)}") from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not self.path.exists():
                unfinished = _cleared(self.path.with_name(f".{self.path.name}.new"))
                build(SqliteFile(unfinished))
                _ = unfinished.rename(self.path)
                os.fsync(folder)
        except OSError as error:
            raise RegistryError(f"no registry can be made at {self.path}: {told(error)}") from error
        finally:
            os.close(folder)

    def probe(self) -> None:
        if not self.path.exists():
            raise nothing_there(self)
        if not self.path.is_file() and not self.path.is_dir():  # which a pipe never answers
            raise RegistryError(f"{self.path} is not a lineal registry (no file): name another with --registry")
        for beside in (Path(f"{self.path}{suffix}") for suffix in _BESIDE):
            if beside.exists() and not beside.is_file():
                raise RegistryError(f"{beside} is not a file, and SQLite keeps one there: remove it")
        try:
            with self.path.open("rb") as file:
                beginning = file.read(len(_BEGINNING))
        except OSError as error:
            raise RegistryError(f"the registry {self.path} cannot be read: {reason(error)}") from error
        if beginning != _BEGINNING:
            raise RegistryError(
                f"{self.path} is not a lineal registry (not an SQLite file): name another with --registry"
            )

    def admit(self) -> None:
        raise RegistryError(f"{self.path} is not a lineal registry (another program's SQLite file): name another")

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error,)

    def connections(self) -> Connections:
        return SqliteConnections(partial(_connect, self.path), self)

    def has_table(self, connection: Connection, name: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"
        return connection.execute(query, {"name": name}).first() is not None

    def explain(self, error: Exception) -> str:
        complaint = str(error)
        said = (words for sign, words in _TOLD.items() if sign in complaint)
        return next(said, f"nothing was changed: SQLite says {quoted(complaint)}")

    def damage(self, connection: Connection) -> Iterator[str]:
        for (said,) in connection.execute_raw("PRAGMA integrity_check"):
            if said != "ok":
                yield f"database: {said}"
        yield from differences(sqlite_blueprint(), named_parts(connection.execute_raw(SQLITE_PARTS).all()))
        for table, row, other, _ in connection.execute_raw("PRAGMA foreign_key_check"):
            yield f"database: row {row} of {table} refers to something that {other} does not hold"

    def insert(self, connection: Connection, insertion: Insertion, rows: Sequence[tuple[object, ...]]) -> None:
        """Row by row: a prepared statement of SQLite is a call of a function."""
        words = {word: f"?{position}" for position, word in enumerate(insertion.given, start=1)}
        statement = f"{insertion.into()} VALUES ({insertion.values(words)}) {insertion.on_conflict}"
        _ = connection.execute_raw(statement, list(rows))


def _cleared(unfinished: Path) -> Path:
    """An empty file to build in; the folder's lock is ours, so what lies there is of a process that was killed."""
    for leftover in unfinished.parent.glob(f"{unfinished.name}*"):
        leftover.unlink()
    unfinished.touch(exist_ok=False)
    return unfinished


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
