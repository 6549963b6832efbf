"""Names of models: `FAMILY:NAME`, a bare NAME where it is unique, and hashes shortened to a prefix."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from sqlalchemy import Connection, text

from lineal.derivation.hashes import HASH_LENGTH, format_hash
from lineal.errors import UsageError
from lineal.lineage import models
from lineal.lineage.records import Name
from lineal.lineage.store import rows_for

HASH_PREFIX = "b3:"
SHORTEST_PREFIX = 8
LISTED = 5

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DIGITS = re.compile(r"[0-9a-f]*")


def set_name(connection: Connection, name: Name) -> None:
    """Let a name stand for a model, whatever it stood for before."""
    check_name(name.family, "family")
    check_name(name.name, "name")
    if name.family == HASH_PREFIX.rstrip(":"):
        raise UsageError(f"a family cannot be called {name.family!r}: that is how hashes begin")
    statement = """
        INSERT INTO name (family, name, model_id) VALUES (:family, :name, :model_id)
        ON CONFLICT (family, name) DO UPDATE SET model_id = excluded.model_id
    """
    row = {"family": name.family, "name": name.name, "model_id": models.key(connection, name.model_hash)}
    _ = connection.execute(text(statement), row)


def check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{what} {name!r}: letters, digits, '.', '_' and '-' are allowed, no '..', and no '.' or '-' in front"
        )


def names(connection: Connection, family: str | None = None) -> tuple[Name, ...]:
    """All names, or a family's, in the order in which they were first given."""
    query = """
        SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id
        WHERE :family = '' OR family = :family ORDER BY name.id
    """
    return tuple(Name(*row) for row in connection.execute(text(query), {"family": family or ""}))


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


def labels(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, str]:
    """What to call each of these models: its first name, bare where that says which; else its hash, shortened.

    Every label can be typed: `resolve` gives the model back, as long as no other hash begins alike.
    """
    wanted = list(hashes)
    named = names_of(connection, wanted)
    query = "SELECT name FROM name WHERE name IN :values GROUP BY name HAVING count(DISTINCT model_id) > 1"
    shared = {row[0] for row in rows_for(connection, query, {given[0].name for given in named.values()})}
    called = {digest: given[0] for digest, given in named.items()}
    return {
        digest: (str(called[digest]) if called[digest].name in shared else called[digest].name)
        if digest in called
        else shortened(digest)
        for digest in wanted
    }


def shortened(model_hash: bytes) -> str:
    return format_hash(model_hash)[: len(HASH_PREFIX) + SHORTEST_PREFIX]


def resolve(connection: Connection, reference: str) -> bytes:
    """The model that a FAMILY:NAME, a bare NAME, a `b3:` prefix or the path of a known place stands for."""
    if reference.startswith(HASH_PREFIX):
        return _by_prefix(connection, reference)
    if "/" in reference or reference in (".", ".."):
        return _by_place(connection, reference)
    family, colon, name = reference.rpartition(":")
    query = "SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id WHERE name = :name"
    found = [Name(*row) for row in connection.execute(text(f"{query} ORDER BY name.id"), {"name": name})]
    if colon:
        found = [known for known in found if known.family == family]
    candidates = {known.model_hash for known in found}
    if len(candidates) > 1:
        raise UsageError(f"{reference!r} is the name of {len(candidates)} models: {_listed(map(str, found))}")
    if not candidates:
        raise UsageError(f"no model is called {reference!r} ({_nearest(connection, reference)})")
    return found[0].model_hash


def _by_prefix(connection: Connection, reference: str) -> bytes:
    digits = reference.removeprefix(HASH_PREFIX).lower()
    if not _DIGITS.fullmatch(digits) or not SHORTEST_PREFIX <= len(digits) <= 2 * HASH_LENGTH:
        raise UsageError(f"{reference!r}: a hash is b3: and {SHORTEST_PREFIX} to {2 * HASH_LENGTH} hex digits")
    lowest, highest = (bytes.fromhex(digits.ljust(2 * HASH_LENGTH, filler)) for filler in "0f")
    query = (
        "SELECT model_hash FROM model WHERE model_hash BETWEEN :lowest AND :highest ORDER BY model_hash LIMIT :limit"
    )
    bounds = {"lowest": lowest, "highest": highest, "limit": LISTED + 1}
    found: list[bytes] = list(connection.execute(text(query), bounds).scalars())
    if len(found) > 1:
        called = names_of(connection, found)
        shown = (" ".join([format_hash(digest), *map(str, called.get(digest, ()))]) for digest in found)
        raise UsageError(f"{reference!r} begins the hash of several models: {_listed(shown)}")
    if not found:
        raise UsageError(f"no model's hash begins with {reference!r}: lineal log lists what is known")
    return found[0]


def _by_place(connection: Connection, reference: str) -> bytes:
    found = models.at(connection, Path(reference))
    if found is None:
        raise UsageError(f"no model is known to lie at {reference!r}: lineal add {reference} makes it known")
    return found


def _nearest(connection: Connection, reference: str) -> str:
    known = {str(name): str(name) for name in names(connection)}
    bare = {full.partition(":")[2]: full for full in known}
    close = get_close_matches(reference, [*known, *bare], n=1)
    if close:
        return f"did you mean {(known | bare)[close[0]]}?"
    return f"known: {_listed(known)}" if known else "no model has a name yet"


def _listed(items: Iterable[str]) -> str:
    shown = list(items)
    return ", ".join(shown[:LISTED]) + (", ..." if len(shown) > LISTED else "")
