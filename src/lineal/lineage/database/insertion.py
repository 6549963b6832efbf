"""Rows on their way into a table, many at once: written once, run by each database in its fastest way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Insertion:
    """What is done with rows. given: what each row holds, in order, and of which kind, in the migrations' words.

    columns: the table's columns and the SQL of each, where a row's words stand in braces; without it, as given.
    A statement that may meet a row twice says so in `on_conflict`.
    """

    table: str
    given: Mapping[str, str]
    columns: Mapping[str, str] = field(default_factory=dict)
    on_conflict: str = ""

    def into(self) -> str:
        return f"INSERT INTO {self.table} ({', '.join(self.columns or self.given)})"

    def values(self, words: Mapping[str, str]) -> str:
        """The SQL of every column, with what stands for a row's words in this database."""
        columns = self.columns.values() if self.columns else (f"{{{word}}}" for word in self.given)
        return ", ".join(columns).format_map(words)
