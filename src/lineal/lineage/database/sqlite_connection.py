"""Connections to an SQLite file through Python's own module, whose import costs next to nothing."""

import re
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any, cast, final

from lineal.errors import RegistryError
from lineal.lineage.database.connection import Connection, Parameters, Row
from lineal.lineage.database.dialect import Dialect
from lineal.lineage.database.domains import gate

_SAVEPOINT = "lineal"


@final
class SqliteResult:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def __iter__(self) -> Iterator[Row]:
        return cast(Iterator[Row], self._cursor)

    def all(self) -> Sequence[Row]:
        return cast(Sequence[Row], self._cursor.fetchall())

    def first(self) -> Row | None:
        row = self._cursor.fetchone()
        self._cursor.close()  # half a question would hold on to its moment of the registry
        return cast(Row | None, row)

    def scalar_one(self) -> Any:
        row = self.first()
        if row is None:
            raise RegistryError("the database gave no row where one was needed")
        return row[0]

    def scalar_one_or_none(self) -> Any:
        row = self.first()
        return None if row is None else row[0]

    def scalars(self) -> Iterator[Any]:
        return (row[0] for row in self._cursor)


@final
class SqliteConnection:
    """Its rows pass the gate, and have names."""

    def __init__(self, database: sqlite3.Connection, dialect: Dialect) -> None:
        self._database, self.dialect = database, dialect

    def execute(self, statement: str, parameters: Parameters = None) -> SqliteResult:
        if parameters is None:
            return self._run(statement, {})
        if isinstance(parameters, Mapping):
            return self._run(*_spread(statement, parameters))
        cursor = self._database.cursor()
        return SqliteResult(cursor.executemany(statement, parameters))

    def execute_raw(self, statement: str, parameters: Sequence[Any] | None = None) -> SqliteResult:
        if parameters is None:
            return self._run(statement, {})
        return SqliteResult(self._database.executemany(statement, parameters))

    @contextmanager
    def begin_nested(self) -> Generator[None]:
        _ = self._database.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            yield
        except BaseException:
            _ = self._database.execute(f"ROLLBACK TO {_SAVEPOINT}")
            raise
        finally:
            _ = self._database.execute(f"RELEASE {_SAVEPOINT}")

    def _run(self, statement: str, parameters: Mapping[str, object]) -> SqliteResult:
        cursor = self._database.cursor()
        _ = cursor.execute(statement, parameters)
        if cursor.description is not None:
            columns = tuple(column[0] for column in cursor.description)
            cursor.row_factory = _rows_of(columns, guarded=not statement.startswith("PRAGMA"))
        return SqliteResult(cursor)


@final
@dataclass
class SqliteConnections:
    """Connections that wait for their next transaction; `connect` makes another where all are in one."""

    connect: Callable[[], sqlite3.Connection]
    dialect: Dialect
    _waiting: list[sqlite3.Connection] = field(default_factory=list[sqlite3.Connection])
    _lock: Lock = field(default_factory=Lock)

    def reading(self) -> AbstractContextManager[Connection]:
        return self._transaction("BEGIN")

    def writing(self) -> AbstractContextManager[Connection]:
        return self._transaction("BEGIN IMMEDIATE")

    def close(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for database in waiting:
            database.close()

    @contextmanager
    def _transaction(self, begin: str) -> Generator[Connection]:
        with self._lock:
            database = self._waiting.pop() if self._waiting else None
        database = database or self.connect()
        try:
            _ = database.execute(begin)
            yield SqliteConnection(database, self.dialect)
            _ = database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                with suppress(sqlite3.Error):  # what went wrong before is what counts
                    _ = database.execute("ROLLBACK")
            raise
        finally:
            if database.in_transaction:
                database.close()
            else:
                with self._lock:
                    self._waiting.append(database)


@cache
def _rows_of(columns: tuple[str, ...], *, guarded: bool) -> Callable[[Any, Any], Any]:
    """Makes of a row's values a tuple with names, past the gate."""
    named: Any = namedtuple("Row", columns, rename=True)  # noqa: PYI024 # pyright: ignore[reportUntypedNamedTuple]
    make = named._make
    check = gate(columns) if guarded else None
    if check is None:
        return lambda _, row: make(row)
    return lambda cursor, row: make(check(cursor, row))


def _spread(statement: str, parameters: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """Each value of a list under a name of its own, as SQLite wants it."""
    lists = {name: values for name, values in parameters.items() if isinstance(values, list | tuple)}
    if not lists:
        return statement, parameters
    spread = {name: value for name, value in parameters.items() if name not in lists}
    for name, values in lists.items():
        words = {f"{name}_{index}": value for index, value in enumerate(cast(Sequence[object], values))}
        spread |= words
        statement = re.sub(
            rf":{name}\b", lambda _, words=words: f"({', '.join(f':{word}' for word in words)})", statement
        )
    return statement, spread
