"""What every name meant, and when: a journal that only grows, each entry bound to all before it by a hash."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast, final

from lineal.derivation.canonical import Json
from lineal.lineage.database.chain import JOURNAL
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import BY_COLUMN, IllFormedRow


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
    JOURNAL.append(connection, ({"created": time.time(), **change} for change in changes))


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
    broken = JOURNAL.fault(connection)
    if broken is not None:
        yield broken
        return
    named, versions = dict[str, str](), dict[str, tuple[str, str, str]]()
    for entry in _rows(connection, "ASC"):
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
    standing = {f"{family}:{name}": f"b3:{model.hex()}" for family, name, model in connection.execute(query)}
    for name, model in named.items():
        if standing.get(name, "nothing") != model:
            yield f"{name}: the journal says {model[:11]}, the registry {standing.get(name, 'nothing')[:11]}"


def _versions_against(connection: Connection, versions: Mapping[str, tuple[str, str, str]]) -> Iterator[str]:
    query = """
        SELECT version.id, family, name, semver, model_hash, stage FROM version
        JOIN name ON name.id = name_id JOIN model ON model.id = version.model_id
    """
    tags: dict[int, list[str]] = {}
    for key, tag in connection.execute("SELECT version_id, tag FROM version_tag"):
        tags.setdefault(key, []).append(tag)
    standing = {
        f"{family}:{name}@{semver}": (f"b3:{model.hex()}", stage, ", ".join(sorted(tags.get(key, ()))))
        for key, family, name, semver, model, stage in connection.execute(query)
    }
    for name, said in versions.items():
        found = standing.get(name)
        if found != said:
            yield f"{name}: the journal says {_version(said)}, the registry {_version(found) if found else 'nothing'}"


def _version(said: tuple[str, str, str]) -> str:
    model, stage, tags = said
    return f"{model[:11]} in {stage}{f', tagged {tags}' if tags else ''}"


def _rows(connection: Connection, order: str) -> Iterator[Entry]:
    for link in JOURNAL.links(connection, order):
        created = link.content.pop("created", 0.0)
        if not BY_COLUMN["created"].holds(created):
            raise IllFormedRow(f"row {link.number} of journal: its time is none")
        yield Entry(link.number, float(cast(float, created)), link.content, link.entry_hash)
