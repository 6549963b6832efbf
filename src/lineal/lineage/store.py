"""A registry's database: made whole or not at all; reads see one moment, writes come one at a time."""

import fcntl
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError

from lineal.errors import RegistryError
from lineal.lineage.dialect import advice, engine_for, for_writing
from lineal.lineage.schema import MIGRATIONS, applied_version, apply

T = TypeVar("T")
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

BATCH = 1000
"""Rows asked for at once: far below every database's limit of parameters."""

_SQLITE_FILE = b"SQLite format 3\0"


@final
class Store:
    """An open registry database. Its errors are RegistryErrors that name it and say what to do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = engine_for(path)
        self._writer = for_writing(self._engine)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction, durable when the block ends, gone without a trace when it raises."""
        with self._explained(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def migrate(self, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
        """Bring an older schema up to date, one transaction a migration; refuse one that is newer."""
        while (version := self.version()) < len(migrations):
            with self.writing() as connection:
                if applied_version(connection) == version:  # else another process was faster
                    apply(connection, version + 1, migrations[version])
        if version > len(migrations):
            raise RegistryError(
                f"the registry {self.path} has schema {version}, this lineal knows schemas up to {len(migrations)}: "
                "upgrade lineal, or name another registry with --registry"
            )

    def bring_up_to_date(self) -> None:
        """Migrate what is a registry already; anything else is left as it is."""
        if self.version() == 0:
            raise RegistryError(f"{self.path} is not a lineal registry (another program's SQLite file): name another")
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
            reason = str(error.orig)
            raise RegistryError(f"the registry {self.path}: {reason}; {advice(reason)}") from error


def open_store(path: Path) -> Store:
    """The store in an existing file; a file that holds anything else is refused and left as it is."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_SQLITE_FILE))
    except OSError as error:
        raise RegistryError(f"the registry {path} cannot be read: {error.strerror}") from error
    if beginning != _SQLITE_FILE:
        raise RegistryError(f"{path} is not a lineal registry (not an SQLite file): name another with --registry")
    store = Store(path)
    try:
        store.bring_up_to_date()
    except RegistryError:
        store.close()
        raise
    return store


def create_store(path: Path) -> None:
    """Make an empty registry where none is: built beside under the folder's lock, then renamed into place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise RegistryError(f"no registry can be made at {path}: {error.strerror} ({error.filename})") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists():
            _build(path.with_name(f".{path.name}.new")).rename(path)
            os.fsync(folder)
    except OSError as error:
        raise RegistryError(f"no registry can be made at {path}: {error.strerror}") from error
    finally:
        os.close(folder)


def _build(unfinished: Path) -> Path:
    for leftover in unfinished.parent.glob(f"{unfinished.name}*"):
        leftover.unlink()  # of a process that was killed here: the folder's lock is ours
    unfinished.touch(exist_ok=False)
    store = Store(unfinished)
    try:
        store.migrate()
    finally:
        store.close()
    return unfinished


def rows_for(connection: Connection, query: str, values: Iterable[object], **others: object) -> Iterator[AnyRow]:
    """The rows of a query whose `IN :values` is asked a batch at a time; their order is by batch."""
    statement = text(query).bindparams(bindparam("values", expanding=True))
    for batch in batches(values):
        yield from connection.execute(statement, {"values": batch, **others})


def execute_each(connection: Connection, statement: str, parameters: Iterable[dict[str, object]]) -> None:
    """Run a statement once for each set of parameters."""
    rows = list(parameters)
    if rows:
        _ = connection.execute(text(statement), rows)


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch
