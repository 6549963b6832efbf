"""Connections to PostgreSQL through SQLAlchemy: its pool, its knowledge of lost connections, its named parameters."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast, final

from sqlalchemy import Connection as Raw
from sqlalchemy import Engine, TextClause, bindparam, text

from lineal.lineage.database.connection import Connection, Parameters, Result
from lineal.lineage.database.dialect import Dialect


@final
@dataclass(frozen=True)
class PostgresConnection:
    raw: Raw
    dialect: Dialect

    def execute(self, statement: str, parameters: Parameters = None) -> Result:
        lists = ()
        if isinstance(parameters, Mapping):
            lists = tuple(name for name, values in parameters.items() if isinstance(values, list | tuple))
        return cast(Result, cast(object, self.raw.execute(_named(statement, lists), cast(Any, parameters))))

    def execute_raw(self, statement: str, parameters: Sequence[Any] | None = None) -> Result:
        return cast(Result, cast(object, self.raw.exec_driver_sql(statement, cast(Any, parameters))))

    def begin_nested(self) -> AbstractContextManager[object]:
        return self.raw.begin_nested()


@final
@dataclass(frozen=True)
class PostgresConnections:
    """Two ways to begin a transaction on one pool of connections."""

    _reading: Engine
    _writing: Engine
    dialect: Dialect

    @contextmanager
    def reading(self) -> Generator[Connection]:
        with self._reading.begin() as raw:
            yield PostgresConnection(raw, self.dialect)

    @contextmanager
    def writing(self) -> Generator[Connection]:
        with self._writing.begin() as raw:
            yield PostgresConnection(raw, self.dialect)

    def close(self) -> None:
        self._reading.dispose()  # and with it the pool of both


@lru_cache(maxsize=512)
def _named(statement: str, lists: tuple[str, ...]) -> TextClause:
    return text(statement).bindparams(*(bindparam(name, expanding=True) for name in lists))
