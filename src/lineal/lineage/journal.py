"""What every name meant, and when: a journal that only grows, each entry bound to all before it by a hash."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast, final

from blake3 import blake3
from sqlalchemy import Connection, text

from lineal.derivation.canonical import Json, canonical_json
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.store import insert

_TAG = b"lineal.journal.1"
_BEGINNING = bytes(32)
"""What stands before the first entry."""
_ENTRIES = Insertion("journal", {"id": "integer", "content": "text", "entry_hash": "blob"})


@final
@dataclass(frozen=True)
class Entry:
    """One change. number: from 1; created: seconds since 1970; change: what became of which name."""

    number: int
    created: float
    change: Mapping[str, Json]
    entry_hash: bytes


def append(connection: Connection, change: Mapping[str, Json]) -> None:
    """Note a change, in the transaction that makes it: the next number, with no gap where a transaction failed."""
    append_all(connection, [change])


def append_all(connection: Connection, changes: Iterable[Mapping[str, Json]]) -> None:
    last = connection.execute(text("SELECT id, entry_hash FROM journal ORDER BY id DESC LIMIT 1")).first()
    number, before = (last.id, last.entry_hash) if last else (0, _BEGINNING)
    rows: list[tuple[int, str, bytes]] = []
    for change in changes:
        content = canonical_json({"created": time.time(), **change})
        number, before = number + 1, _hash(before, content)
        rows.append((number, content.decode(), before))
    insert(connection, _ENTRIES, rows)


def entries(connection: Connection, name: str | None = None, limit: int | None = None) -> tuple[Entry, ...]:
    """The changes of all names, or of one FAMILY:NAME with its versions, the latest first."""
    found: list[Entry] = []
    for entry in _rows(connection, "DESC"):
        about = str(entry.change.get("name"))
        if name is None or about == name or about.startswith(f"{name}@"):
            found.append(entry)
        if limit is not None and len(found) == limit:
            break
    return tuple(found)


def faults(connection: Connection) -> Iterator[str]:
    """Where the chain is broken, and where names mean something else by now than the journal says."""
    before, named, versions = _BEGINNING, dict[str, str](), dict[str, tuple[str, str, str]]()
    for number, entry in enumerate(_rows(connection, "ASC"), start=1):
        if entry.number != number:
            yield f"journal: entry {number} is missing"
            return
        if _hash(before, canonical_json({"created": entry.created, **entry.change})) != entry.entry_hash:
            yield f"journal: entry {number} does not follow from those before it"
            return
        before = entry.entry_hash
        name, model = str(entry.change.get("name")), str(entry.change.get("model"))
        match entry.change.get("change"):
            case "name":
                named[name] = model
            case "unname":
                named[name] = "nothing"
            case "version":
                tags = entry.change.get("tags")
                versions[name] = model, str(entry.change.get("stage")), ", ".join(map(str, cast(list[Json], tags)))
            case _:
                pass  # of no name
    yield from _names_against(connection, named)
    yield from _versions_against(connection, versions)


def _names_against(connection: Connection, named: Mapping[str, str]) -> Iterator[str]:
    query = "SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id"
    standing = {f"{family}:{name}": f"b3:{model.hex()}" for family, name, model in connection.execute(text(query))}
    for name, model in named.items():
        if standing.get(name, "nothing") != model:
            yield f"{name}: the journal says {model[:11]}, the registry {standing.get(name, 'nothing')[:11]}"


def _versions_against(connection: Connection, versions: Mapping[str, tuple[str, str, str]]) -> Iterator[str]:
    query = """
        SELECT version.id, family, name, semver, model_hash, stage FROM version
        JOIN name ON name.id = name_id JOIN model ON model.id = version.model_id
    """
    tags: dict[int, list[str]] = {}
    for key, tag in connection.execute(text("SELECT version_id, tag FROM version_tag")):
        tags.setdefault(key, []).append(tag)
    standing = {
        f"{family}:{name}@{semver}": (f"b3:{model.hex()}", stage, ", ".join(sorted(tags.get(key, ()))))
        for key, family, name, semver, model, stage in connection.execute(text(query))
    }
    for name, said in versions.items():
        found = standing.get(name)
        if found != said:
            yield f"{name}: the journal says {_version(said)}, the registry {_version(found) if found else 'nothing'}"


def _version(said: tuple[str, str, str]) -> str:
    model, stage, tags = said
    return f"{model[:11]} in {stage}{f', tagged {tags}' if tags else ''}"


def _rows(connection: Connection, order: str) -> Iterator[Entry]:
    rows = connection.execute(text(f"SELECT id, content, entry_hash FROM journal ORDER BY id {order}"))
    for number, content, entry_hash in rows:
        change: dict[str, Json] = json.loads(content)
        created = change.pop("created", 0.0)
        yield Entry(number, float(created) if isinstance(created, int | float) else 0.0, change, entry_hash)


def _hash(before: bytes, content: bytes) -> bytes:
    return blake3(_TAG + before + content).digest()
