"""Rows on their way into a table, many at once: written once, run by each database in its fastest way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Insertion:
    """What is done with rows. given: what each row holds, in order, and of which kind, in the migrations' words.

    selected: for rows that are put together with other tables, what to select FROM {given} and them; without it the
    rows are inserted as they are given. A statement that may meet a row twice says so in `on_conflict`.
    """

    table: str
    given: Mapping[str, str]
    columns: tuple[str, ...] = ()
    selected: str = ""
    on_conflict: str = ""

    def into(self) -> str:
        return f"INSERT INTO {self.table} ({', '.join(self.columns or self.given)})"
