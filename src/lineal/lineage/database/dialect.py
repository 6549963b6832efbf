"""What a registry asks of the database that keeps it: the one place where databases differ.

sqlite.py and postgres.py answer; everything else is written in the SQL that both understand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from lineal.errors import RegistryError
from lineal.lineage.database.insertion import Insertion

WAIT_SECONDS = 120
"""How long a writer waits for the others; a bulk of a million models holds the registry for about a minute."""

_OPTION = "lineal_dialect"


@final
@dataclass(frozen=True)
class Engines:
    """Two ways to begin a transaction on one pool of connections.

    reading: what it sees is one moment of the registry. writing: writers queue up at its beginning, never in its
    middle, and what it did is durable when it ends.
    """

    reading: Engine
    writing: Engine


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

    def engines(self) -> Engines: ...

    def explain(self, error: DBAPIError) -> str:
        """A complaint of the database in one line, with what to do about it."""
        ...

    def damage(self, connection: Connection) -> Iterator[str]:
        """What the database itself finds wrong with its indexes and references."""
        ...

    def insert(self, connection: Connection, insertion: Insertion, rows: Sequence[tuple[object, ...]]) -> None:
        """Put rows into a table, in their order, as fast as the database can."""
        ...


def engines_on(engine: Engine, dialect: Dialect) -> Engines:
    """Both kinds of transaction, on connections that know their dialect."""
    known = {_OPTION: dialect}
    return Engines(engine.execution_options(**known), engine.execution_options(**known))


def nothing_there(dialect: Dialect) -> RegistryError:
    """For those who only read."""
    return RegistryError(
        f"no registry at {dialect.place}: lineal run or lineal add begins one, --registry names another"
    )


def dialect_of(connection: Connection) -> Dialect:
    """The dialect that a registry's connection speaks."""
    return connection.get_execution_options()[_OPTION]
