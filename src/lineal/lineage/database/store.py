"""A registry's database: made whole or not at all; reads see one moment, writes come one at a time."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import final

from lineal.errors import MissingExtra, RegistryError
from lineal.lineage.database import seals
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.dialect import Dialect, nothing_there
from lineal.lineage.database.domains import IllFormedRow
from lineal.lineage.database.schema import MIGRATIONS, SEALED, applied_version, apply
from lineal.lineage.database.sqlite import SqliteFile


@final
class Store:
    """An open registry database. Its errors are RegistryErrors that name it and say what to do."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._connections = dialect.connections()

    @contextmanager
    def reading(self) -> Generator[Connection]:
        with self._explained(), self._connections.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction, durable when the block ends, gone without a trace when it raises."""
        with self._explained(), self._connections.writing() as connection:
            yield connection

    def close(self) -> None:
        self._connections.close()

    def migrate(self, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
        """Bring an older schema up to date, one transaction a migration; refuse one that is newer."""
        while (version := self.version()) < len(migrations):
            with self.writing() as connection:
                if applied_version(connection) == version:  # else another process was faster
                    apply(connection, version + 1, migrations[version])
                    if version + 1 == SEALED:
                        seals.begin(connection)
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
        except self.dialect.errors as error:
            raise RegistryError(f"the registry {self.dialect.place}: {self.dialect.explain(error)}") from error
        except IllFormedRow as error:
            raise RegistryError(f"the registry {self.dialect.place}: {error}; lineal check says what else") from error


def dialect_at(location: str | Path) -> Dialect:
    """What a path or a URL names; nothing is opened yet."""
    if isinstance(location, str) and "://" in location:
        scheme = location.partition(":")[0]
        if scheme not in ("postgresql", "postgres"):
            raise RegistryError(
                f"the registry cannot be a {scheme}:// URL: the path of an SQLite file is needed, or postgresql://"
            )
        if find_spec("psycopg") is None or find_spec("sqlalchemy") is None:
            raise MissingExtra("a registry on PostgreSQL", "postgres")
        from lineal.lineage.database.postgres import PostgresDatabase  # noqa: PLC0415 - SQLAlchemy takes its time

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
    dialect.probe()
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
