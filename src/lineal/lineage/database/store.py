"""A registry's database: made whole or not at all; reads see one moment, writes come one at a time."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError

from lineal.errors import RegistryError
from lineal.lineage.database.dialect import Dialect, dialect_of, nothing_there
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.postgres import SCHEMES, PostgresDatabase
from lineal.lineage.database.schema import MIGRATIONS, applied_version, apply
from lineal.lineage.database.sqlite import SqliteFile

T = TypeVar("T")
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

BATCH = 1000
"""Rows asked for at once: far below every database's limit of parameters."""


@final
class Store:
    """An open registry database. Its errors are RegistryErrors that name it and say what to do."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._engines = dialect.engines()

    @contextmanager
    def reading(self) -> Generator[Connection]:
        with self._explained(), self._engines.reading.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction, durable when the block ends, gone without a trace when it raises."""
        with self._explained(), self._engines.writing.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engines.reading.dispose()  # and with it the pool of both

    def migrate(self, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
        """Bring an older schema up to date, one transaction a migration; refuse one that is newer."""
        while (version := self.version()) < len(migrations):
            with self.writing() as connection:
                if applied_version(connection) == version:  # else another process was faster
                    apply(connection, version + 1, migrations[version])
        if version > len(migrations):
            raise RegistryError(
                f"the registry {self.dialect.place} has schema {version}, this lineal knows schemas up to "
                f"{len(migrations)}: upgrade lineal, or name another registry with --registry"
            )

    def begin(self) -> None:
        """Bring up to date what is a registry, or becomes one now."""
        if self.version() == 0:
            self.dialect.admit()
        self.migrate()

    def resume(self) -> None:
        """Bring up to date what is a registry already; anything else is left as it is."""
        if self.version() == 0:
            self.dialect.admit()
            raise nothing_there(self.dialect)
        self.migrate()

    def version(self) -> int:
        """The schema's version; zero where there is none."""
        with self.reading() as connection:
            return applied_version(connection)

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except DBAPIError as error:
            raise RegistryError(f"the registry {self.dialect.place}: {self.dialect.explain(error)}") from error


def dialect_at(location: str | Path) -> Dialect:
    """What a path or a URL names; nothing is opened yet."""
    if isinstance(location, str) and "://" in location:
        scheme = location.partition(":")[0]
        if scheme not in SCHEMES:
            raise RegistryError(
                f"the registry cannot be a {scheme}:// URL: the path of an SQLite file is needed, or postgresql://"
            )
        return PostgresDatabase.at(location)
    return SqliteFile(Path(location).expanduser())


def begin_store(dialect: Dialect) -> Store:
    """The store where a registry is; an empty one begins where none is."""
    dialect.make(_build)
    return _opened(dialect, Store.begin)


def open_store(dialect: Dialect) -> Store:
    """The store where a registry is; what holds anything else is refused and left as it is."""
    return _opened(dialect, Store.resume)


def _opened(dialect: Dialect, prepare: Callable[[Store], None]) -> Store:
    dialect.look()
    store = Store(dialect)
    try:
        prepare(store)
    except RegistryError:
        store.close()
        raise
    return store


def _build(dialect: Dialect) -> None:
    store = Store(dialect)
    try:
        store.migrate()
    finally:
        store.close()


def rows_for(connection: Connection, query: str, values: Iterable[object], **others: object) -> Iterator[AnyRow]:
    """The rows of a query whose `IN :values` is asked a batch at a time; their order is by batch."""
    statement = text(query).bindparams(bindparam("values", expanding=True))
    for batch in batches(values):
        yield from connection.execute(statement, {"values": batch, **others}).all()


def insert(connection: Connection, insertion: Insertion, rows: Iterable[tuple[object, ...]]) -> None:
    """Put rows into a table, a batch in a statement."""
    for batch in batches(rows):
        dialect_of(connection).insert(connection, insertion, batch)


def execute_each(connection: Connection, statement: str, parameters: Iterable[dict[str, object]]) -> None:
    """Run a statement once for each set of parameters."""
    rows = list(parameters)
    if rows:
        _ = connection.execute(text(statement), rows)


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch
