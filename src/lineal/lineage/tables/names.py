"""Names of models: `FAMILY:NAME`, each standing for one model at a time."""

import re
from collections.abc import Iterable

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.database import seals
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.statements import batches, insert, rows_for
from lineal.lineage.records.records import Name
from lineal.lineage.tables import journal, models
from lineal.shown import quoted

HASH_PREFIX = "b3:"
SHORTEST_PREFIX = 8
LISTED = 5

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NAMES = Insertion(
    "name",
    {"family": "text", "name": "text", "model_id": "integer"},
    on_conflict="ON CONFLICT (family, name) DO UPDATE SET model_id = excluded.model_id",
)


def set_names(connection: Connection, names: Iterable[Name]) -> None:
    """Let names stand for models, in order, whatever they stood for before."""
    for batch in batches(names):
        for name in batch:
            _check(name)
        known = models.keys_of_known(connection, (name.model_hash for name in batch))
        stands = _standing(connection, batch)
        stood = dict(stands)
        rows: dict[str, tuple[str, str, int]] = {}
        changes: list[dict[str, Json]] = []
        for name in batch:
            called = str(name)
            before = stands.get(called)
            if before != name.model_hash:
                stands[called] = name.model_hash
                rows[called] = name.family, name.name, known[name.model_hash]
                was = None if before is None else format_hash(before)
                model = format_hash(name.model_hash)
                changes.append({"change": "name", "name": called, "model": model, "before": was})
        insert(connection, _NAMES, rows.values())
        journal.append_all(connection, changes)
        renamed = [(family, name, stands[called], stood.get(called)) for called, (family, name, _) in rows.items()]
        now = ((family, name, model) for family, name, model, _ in renamed)
        before = ((family, name, model) for family, name, _, model in renamed if model is not None)
        seals.note(connection, "name", now, before)


def remove(connection: Connection, name: Name) -> None:
    """Let a name stand for nothing; one that has versions is refused, since they are promises to others."""
    where = {"family": name.family, "name": name.name}
    key = "(SELECT id FROM name WHERE family = :family AND name = :name)"
    versions = list(connection.execute(f"SELECT semver FROM version WHERE name_id = {key}", where).scalars())
    if versions:
        raise UsageError(f"{name} has versions ({listed(versions)}), which go on standing for their models")
    with seals.sealed(connection, ["name"], [name.name]):
        _ = connection.execute("DELETE FROM name WHERE family = :family AND name = :name", where)
        change: dict[str, Json] = {"change": "unname", "name": str(name), "before": format_hash(name.model_hash)}
        journal.append(connection, change)


def _standing(connection: Connection, names: Iterable[Name]) -> dict[str, bytes]:
    """What these names stand for, by FAMILY:NAME."""
    query = """
        SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id
        WHERE family = :family AND name IN :values
    """
    asked: dict[str, set[str]] = {}
    for name in names:
        asked.setdefault(name.family, set()).add(name.name)
    rows = (row for family, called in asked.items() for row in rows_for(connection, query, called, family=family))
    return {str(name): name.model_hash for name in (Name(*row) for row in rows)}


def _check(name: Name) -> None:
    check_name(name.family, "family")
    check_name(name.name, "name")
    if name.family == HASH_PREFIX.rstrip(":"):
        raise UsageError(f"a family cannot be called {quoted(name.family)}: that is how hashes begin")


def check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{what} {quoted(name)}: letters, digits, '.', '_' and '-' are allowed, no '..', and no '.' or '-' in front"
        )


def names(connection: Connection, family: str | None = None) -> tuple[Name, ...]:
    """All names, or a family's, in the order in which they were first given."""
    query = """
        SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id
        WHERE :family = '' OR family = :family ORDER BY name.id
    """
    return tuple(Name(*row) for row in connection.execute(query, {"family": family or ""}))


def names_of(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, tuple[Name, ...]]:
    """Every name of each of these models, in the order in which they were first given."""
    query = """
        SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id
        WHERE model_hash IN :values ORDER BY name.id
    """
    found: dict[bytes, tuple[Name, ...]] = {}
    for row in rows_for(connection, query, hashes):
        name = Name(*row)
        found[name.model_hash] = (*found.get(name.model_hash, ()), name)
    return found


def shortened(model_hash: bytes) -> str:
    """A hash as people say it, as long as no other begins alike."""
    return format_hash(model_hash)[: len(HASH_PREFIX) + SHORTEST_PREFIX]


def listed(items: Iterable[str]) -> str:
    """The first of them, and whether there are more."""
    shown = list(items)
    return ", ".join(shown[:LISTED]) + (", ..." if len(shown) > LISTED else "")
