"""What the lineage needs of a database connection, whichever database it is: statements, rows, savepoints.

Statements are SQL with :names. A list or tuple given for a name stands for `IN :name`, and must not be empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from lineal.lineage.database.dialect import Dialect

    class Row(tuple[Any, ...]):
        """A row: values in order, and by the names of their columns."""

        __slots__ = ()

        def __getattr__(self, name: str) -> Any: ...
else:
    Row = tuple

Parameters: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]] | None
"""Of one run of a statement, or of many."""


class Result(Protocol):
    """Rows, to be taken once; of a statement that writes, how many rows it met."""

    @property
    def rowcount(self) -> int: ...

    def __iter__(self) -> Iterator[Row]: ...

    def all(self) -> Sequence[Row]: ...

    def first(self) -> Row | None: ...

    def scalar_one(self) -> Any:
        """The first value of the only row."""
        ...

    def scalar_one_or_none(self) -> Any: ...

    def scalars(self) -> Iterator[Any]:
        """The first value of each row."""
        ...


class Connection(Protocol):
    """One transaction on a registry's database."""

    @property
    def dialect(self) -> "Dialect": ...

    def execute(self, statement: str, parameters: Parameters = None) -> Result: ...

    def execute_raw(self, statement: str, parameters: Sequence[Any] | None = None) -> Result:
        """A statement in the database's own words, with its own way of writing parameters."""
        ...

    def begin_nested(self) -> AbstractContextManager[object]:
        """A savepoint: what fails inside is undone, and the transaction goes on."""
        ...


class Connections(Protocol):
    """A registry's open connections, of which each transaction has one to itself.

    reading: what it sees is one moment of the registry. writing: writers queue up at its beginning, never in its
    middle, and what it did is durable when it ends; gone without a trace when it raises.
    """

    def reading(self) -> AbstractContextManager[Connection]: ...

    def writing(self) -> AbstractContextManager[Connection]: ...

    def close(self) -> None: ...
