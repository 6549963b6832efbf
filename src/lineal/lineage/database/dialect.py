"""What a registry asks of the database that keeps it: the one place where databases differ.

sqlite.py and postgres.py answer; everything else is written in the SQL that both understand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lineal.errors import RegistryError
from lineal.lineage.database.connection import Connection, Connections
from lineal.lineage.database.insertion import Insertion

WAIT_SECONDS = 120
"""How long a writer waits for the others; a bulk of a million models holds the registry for about a minute."""


class Dialect(Protocol):
    """A database at a certain place, which holds a registry or may come to hold one."""

    @property
    def place(self) -> str:
        """Where it is, as people are told: never with a password."""
        ...

    @property
    def folder(self) -> Path:
        """Where this machine keeps what goes with the registry but not into it."""
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """What the words in braces of the migrations mean."""
        ...

    def make(self, build: Callable[["Dialect"], None]) -> None:
        """Where a registry is a thing of its own and there is none, let `build` fill one before anybody sees it."""
        ...

    def probe(self) -> None:
        """Refuse, without touching it, what can be seen from outside to hold no registry."""
        ...

    def admit(self) -> None:
        """Refuse to begin a registry in a database that was there before, if it can only be another program's."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the database's complaints are."""
        ...

    def connections(self) -> Connections: ...

    def has_table(self, connection: Connection, name: str) -> bool: ...

    def explain(self, error: Exception) -> str:
        """A complaint of the database in one line, with what to do about it."""
        ...

    def damage(self, connection: Connection) -> Iterator[str]:
        """What the database itself finds wrong with its indexes and references."""
        ...

    def insert(self, connection: Connection, insertion: Insertion, rows: Sequence[tuple[object, ...]]) -> None:
        """Put rows into a table, in their order, as fast as the database can."""
        ...


def nothing_there(dialect: Dialect) -> RegistryError:
    """For those who only read."""
    return RegistryError(
        f"no registry at {dialect.place}: lineal run or lineal add begins one, --registry names another"
    )
