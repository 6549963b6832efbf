"""Entries in a table, each bound to all before it by a hash: what is said stays said."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from blake3 import blake3

from lineal.derivation.canonical import Json, canonical_json
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.statements import insert

_BEGINNING = bytes(32)
"""What stands before the first entry."""


@final
@dataclass(frozen=True)
class Link:
    """number: from 1, in order."""

    number: int
    content: dict[str, Json]
    entry_hash: bytes


@final
@dataclass(frozen=True)
class Chain:
    """table: with the columns id, content and entry_hash; tag: what its hashes begin with."""

    table: str
    tag: bytes

    def append(self, connection: Connection, contents: Iterable[Json]) -> None:
        """The next numbers, with no gap where a transaction failed."""
        last = connection.execute(f"SELECT id, entry_hash FROM {self.table} ORDER BY id DESC LIMIT 1").first()
        number, before = (last.id, last.entry_hash) if last else (0, _BEGINNING)
        rows: list[tuple[int, str, bytes]] = []
        for content in map(canonical_json, contents):
            number, before = number + 1, self._hash(before, content)
            rows.append((number, content.decode(), before))
        insert(connection, Insertion(self.table, {"id": "integer", "content": "text", "entry_hash": "blob"}), rows)

    def links(self, connection: Connection, order: str = "ASC") -> Iterator[Link]:
        rows = connection.execute(f"SELECT id, content, entry_hash FROM {self.table} ORDER BY id {order}")
        for number, content, entry_hash in rows:
            yield Link(number, json.loads(content), entry_hash)

    def length(self, connection: Connection) -> int:
        """The number of the last entry."""
        return connection.execute(f"SELECT coalesce(max(id), 0) FROM {self.table}").scalar_one()

    def fault(self, connection: Connection) -> str | None:
        """Where the chain is broken first."""
        before = _BEGINNING
        for number, link in enumerate(self.links(connection), start=1):
            if link.number != number:
                return f"{self.table}: entry {number} is missing"
            if self._hash(before, canonical_json(link.content)) != link.entry_hash:
                return f"{self.table}: entry {number} does not follow from those before it"
            before = link.entry_hash
        return None

    def _hash(self, before: bytes, content: bytes) -> bytes:
        return blake3(self.tag + before + content).digest()


JOURNAL = Chain("journal", b"lineal.journal.1")
"""What names came to mean, and all else that people said."""
SEALS = Chain("seal", b"lineal.seal.1")
"""Which rows were written, and which are no longer."""
