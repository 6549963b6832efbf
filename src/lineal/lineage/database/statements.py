"""Statements on many rows: what is asked or written a batch at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from lineal.lineage.database.connection import Connection, Row
from lineal.lineage.database.insertion import Insertion

T = TypeVar("T")

BATCH = 1000
"""Rows asked for at once: far below every database's limit of parameters."""


def rows_for(connection: Connection, query: str, values: Iterable[object], **others: object) -> Iterator[Row]:
    """The rows of a query whose `IN :values` is asked a batch at a time; their order is by batch."""
    for batch in batches(values):
        yield from connection.execute(query, {"values": batch, **others}).all()


def insert(connection: Connection, insertion: Insertion, rows: Iterable[tuple[object, ...]]) -> None:
    """Put rows into a table, a batch in a statement."""
    for batch in batches(rows):
        connection.dialect.insert(connection, insertion, batch)


def execute_each(connection: Connection, statement: str, parameters: Iterable[dict[str, object]]) -> None:
    """Run a statement once for each set of parameters."""
    rows = list(parameters)
    if rows:
        _ = connection.execute(statement, rows)


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch
