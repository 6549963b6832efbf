"""Every value of every row, held against what its column may hold."""

from collections.abc import Iterator

from lineal.lineage.database.blueprint import Table, tables
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import Domain, domain_of, fault


def faults(connection: Connection) -> Iterator[str]:
    for table in tables():
        try:
            with connection.begin_nested():
                yield from list(_of_table(connection, table, tuple(table.columns)))
        except connection.dialect.errors:
            yield from _of_columns(connection, table)


def _of_columns(connection: Connection, table: Table) -> Iterator[str]:
    """Column by column, where a row cannot even be read."""
    for column in table.columns:
        try:
            with connection.begin_nested():
                yield from list(_of_table(connection, table, (column,)))
        except connection.dialect.errors as error:
            yield f"{table.name}.{column}: {connection.dialect.explain(error)}"


def _of_table(connection: Connection, table: Table, columns: tuple[str, ...]) -> Iterator[str]:
    asked = ", ".join(f'{column} AS "{table.name}.{column}"' for column in columns)  # a name that the gate leaves alone
    meant = [(domain_of(table.name, column), table.columns[column]) for column in columns]
    keys = [columns.index(key) for key in table.key if key in columns]
    for row in connection.execute_raw(f"SELECT {asked} FROM {table.name}"):
        for column, value, (domain, optional) in zip(columns, row, meant, strict=True):
            if domain is not None and not _fits(domain, value, optional=optional):
                which = ", ".join(ascii(row[key])[:60] for key in keys)
                yield f"row {which or '?'} of {table.name}: {column} {fault(domain, value)}"


def _fits(domain: Domain, value: object, *, optional: bool) -> bool:
    return domain.holds(value) or (optional and value is None)
