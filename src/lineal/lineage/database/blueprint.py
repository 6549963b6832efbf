"""What the tables of a registry look like, as its migrations make them, and where those of a database differ."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, final

from lineal.lineage.database.schema import FIRST, MIGRATIONS, MIGRATIONS_TABLE

SQLITE_WORDS: Mapping[str, str] = MappingProxyType({
    "key": "INTEGER PRIMARY KEY",
    "integer": "INTEGER",
    "real": "REAL",
    "text": "TEXT",
    "blob": "BLOB",
    "rows": "STRICT",
    "rows_by_key": "STRICT, WITHOUT ROWID",
})  # fmt: skip

_REWORDED: Mapping[str, str] = MappingProxyType({
    "form IN ('full', 'adapter', 'gguf')": "form = 'full' OR form = 'adapter' OR form = 'gguf'",
})  # fmt: skip
"""What migrations once said otherwise and meant the same."""

SQLITE_PARTS = "SELECT type AS kind, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"


@final
@dataclass(frozen=True)
class Table:
    """columns: whether each may hold nothing; key: those of its primary key."""

    name: str
    columns: Mapping[str, bool]
    key: tuple[str, ...]


@cache
def tables() -> tuple[Table, ...]:
    """All but that of the migrations, which holds nothing of models."""
    with closing(_made()) as database:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        names = [name for (name,) in database.execute(query)]
        return tuple(_table(database, name) for name in names if name != MIGRATIONS_TABLE)


def _table(database: sqlite3.Connection, name: str) -> Table:
    found = database.execute(f"PRAGMA table_info({name})").fetchall()
    return Table(
        name,
        {column: not (needed or key) for _, column, _, needed, _, key in found},
        tuple(column for _, column, *_, key in found if key),
    )


@cache
def sqlite_blueprint() -> Mapping[str, str]:
    """Every table and index, `kind name` -> how SQLite writes it down."""
    with closing(_made()) as database:
        return named_parts(database.execute(SQLITE_PARTS).fetchall())


def named_parts(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    return {f"{kind} {name}": _as_now(" ".join(str(written).split())) for kind, name, written in rows}


def _as_now(written: str) -> str:
    """How it is written today: a registry keeps the words in which it was begun."""
    for earlier, now in _REWORDED.items():
        written = written.replace(earlier, now)
    return written


@cache
def postgres_blueprint() -> Mapping[str, str]:
    """Every column with whether it may hold nothing, and every index that has a name of its own."""
    with closing(_made()) as database:
        indexes = database.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    columns = {
        f"column {table.name}.{column}": "YES" if optional else "NO"
        for table in tables()
        for column, optional in table.columns.items()
    }
    return {**columns, **{f"index {name}": "" for (name,) in indexes}}


def differences(meant: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name, written in meant.items():
        if name not in found:
            yield f"database: the {name} is missing"
        elif found[name] != written:
            yield f"database: the {name} is not as lineal makes it"
    yield from (f"database: the {name} is none of lineal's" for name in found if name not in meant)


def _made() -> sqlite3.Connection:
    """An empty registry in memory."""
    database = sqlite3.connect(":memory:")
    for statement in (FIRST, *(statement for migration in MIGRATIONS for statement in migration)):
        _ = database.execute(statement.format_map(SQLITE_WORDS))
    return database
