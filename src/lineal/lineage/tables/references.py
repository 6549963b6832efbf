"""What a reference stands for, and what to call a model.

A reference is `FAMILY:NAME`, a bare NAME where it is unique, either with `@` and a version, a stage or a tag, the
beginning of a hash (`b3:`) or a place (with a `/`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from lineal.derivation.hashes import HASH_LENGTH, format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.statements import rows_for
from lineal.lineage.records.records import ModelVersion, Name
from lineal.lineage.tables import models, versions
from lineal.lineage.tables.names import HASH_PREFIX, LISTED, SHORTEST_PREFIX, listed, names, names_of, shortened
from lineal.shown import quoted

_DIGITS = re.compile(r"[0-9a-f]*")


def resolve(connection: Connection, reference: str) -> bytes:
    """The model that a name, a version of a name, a `b3:` prefix or the path of a known place stands for."""
    if reference.startswith(HASH_PREFIX):
        return _by_prefix(connection, reference)
    if _is_place(reference):
        return _by_place(connection, reference)
    if "@" in reference:
        return version(connection, reference).model_hash
    found = _names(connection, reference)
    candidates = {known.model_hash for known in found}
    if len(candidates) > 1:
        raise UsageError(f"{quoted(reference)} is the name of {len(candidates)} models: {listed(map(str, found))}")
    return found[0].model_hash


def version(connection: Connection, reference: str) -> ModelVersion:
    """The version that NAME@VERSION, NAME@STAGE or NAME@TAG stands for."""
    name, _, selector = reference.partition("@")
    if not selector or _is_place(reference):
        raise UsageError(
            f"{quoted(reference)} means no version: NAME@VERSION is needed, or a stage or a tag after the @"
        )
    return versions.selected(connection, named(connection, name), selector)


def named(connection: Connection, reference: str) -> Name:
    """The one name to which a version of the model belongs that a reference stands for; with that model."""
    if reference.startswith(HASH_PREFIX) or _is_place(reference):
        model_hash = resolve(connection, reference)
        return _only(reference, names_of(connection, [model_hash]).get(model_hash, ()))
    name, at, _ = reference.partition("@")
    found = _only(reference, _names(connection, name))
    return replace(found, model_hash=version(connection, reference).model_hash) if at else found


def labels(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, str]:
    """What to call each of these models: its first name, bare where that says which; else its version; else its hash.

    Every label can be typed: `resolve` gives the model back, as long as no other hash begins alike.
    """
    wanted = list(hashes)
    called = {digest: given[0] for digest, given in names_of(connection, wanted).items()}
    query = "SELECT name FROM name WHERE name IN :values GROUP BY name HAVING count(DISTINCT model_id) > 1"
    shared = {row[0] for row in rows_for(connection, query, {name.name for name in called.values()})}
    numbered = versions.of_models(connection, (digest for digest in wanted if digest not in called))
    return {
        **{digest: shortened(digest) for digest in wanted},
        **{digest: str(known[0]) for digest, known in numbered.items()},
        **{digest: str(name) if name.name in shared else name.name for digest, name in called.items()},
    }


def _only(reference: str, found: Sequence[Name]) -> Name:
    if not found:
        raise UsageError(f"{quoted(reference)} has no name to which a version could belong: lineal add gives it one")
    if len(found) > 1:
        raise UsageError(
            f"a version belongs to one name, {quoted(reference)} may mean {listed(map(str, found))}: say which"
        )
    return found[0]


def _is_place(reference: str) -> bool:
    return "/" in reference or reference in (".", "..")


def _names(connection: Connection, reference: str) -> list[Name]:
    """Every name that a FAMILY:NAME or a bare NAME can mean; at least one."""
    family, colon, name = reference.rpartition(":")
    query = "SELECT family, name, model_hash FROM name JOIN model ON model.id = model_id WHERE name = :name"
    found = [Name(*row) for row in connection.execute(f"{query} ORDER BY name.id", {"name": name})]
    if colon:
        found = [known for known in found if known.family == family]
    if not found:
        raise UsageError(
            f"no model is called {quoted(reference)} ({here(reference) or _nearest(connection, reference)})"
        )
    return found


def here(reference: str) -> str | None:
    """What to write where somebody gives the bare name of a folder or file; None where none of that name is here."""
    place = Path(reference)
    if not reference or not place.exists():
        return None
    return f"a {'folder' if place.is_dir() else 'file'} ./{reference} is here: write ./{reference}"


def hash_range(reference: str) -> dict[str, bytes]:
    """The lowest and the highest hash that begin like a written one."""
    digits = reference.removeprefix(HASH_PREFIX).lower()
    if not _DIGITS.fullmatch(digits) or not SHORTEST_PREFIX <= len(digits) <= 2 * HASH_LENGTH:
        raise UsageError(f"{quoted(reference)}: a hash is b3: and {SHORTEST_PREFIX} to {2 * HASH_LENGTH} hex digits")
    lowest, highest = (bytes.fromhex(digits.ljust(2 * HASH_LENGTH, filler)) for filler in "0f")
    return {"lowest": lowest, "highest": highest}


def _by_prefix(connection: Connection, reference: str) -> bytes:
    query = (
        "SELECT model_hash FROM model WHERE model_hash BETWEEN :lowest AND :highest ORDER BY model_hash LIMIT :limit"
    )
    asked = {**hash_range(reference), "limit": LISTED + 1}
    found: list[bytes] = list(connection.execute(query, asked).scalars())
    if len(found) > 1:
        called = names_of(connection, found)
        shown = (" ".join([format_hash(digest), *map(str, called.get(digest, ()))]) for digest in found)
        raise UsageError(f"{quoted(reference)} begins the hash of several models: {listed(shown)}")
    if not found:
        raise UsageError(f"no model's hash begins with {quoted(reference)}: lineal log lists what is known")
    return found[0]


def _by_place(connection: Connection, reference: str) -> bytes:
    found = models.at(connection, Path(reference))
    if found is None:
        raise UsageError(f"no model is known to lie at {quoted(reference)}: lineal add {reference} makes it known")
    return found


def _nearest(connection: Connection, reference: str) -> str:
    known = {str(name): str(name) for name in names(connection)}
    bare = {full.partition(":")[2]: full for full in known}
    close = get_close_matches(reference, [*known, *bare], n=1)
    if close:
        return f"did you mean {(known | bare)[close[0]]}?"
    return f"known: {listed(known)}" if known else "no model has a name yet"
