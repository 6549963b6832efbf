"""The base that an adapter is run on: what its record says, what it is told, or what adapter_config.json claims."""

import re
from dataclasses import replace
from pathlib import Path

from lineal.checkpoint.reader import ADAPTER_CONFIG
from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError, StorageError, UsageError
from lineal.family.hub.repository import cached_snapshot, commit_of
from lineal.family.origin.claims.importing import look_up
from lineal.family.session import Placed, Workshop
from lineal.shown import quoted

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def with_base(workshop: Workshop, placed: Placed, named: str | None = None) -> Placed:
    """An adapter beside its base; any other model as it is.

    named: the base as a user names it. A base that only the adapter's own files claim is tried, and it is said so.
    """
    if placed.form != "adapter":
        if named is not None:
            raise UsageError(f"{placed.label}: --base names the base of an adapter, and this is none")
        return placed
    if named is None and placed.base is not None:
        return placed
    base = _claimed(workshop, placed) if named is None else workshop.find(named)
    if base.form != "full":
        raise CheckpointError(
            f"{placed.label}: its base {base.label} is of the form {quoted(base.form)}, not a model in full"
        )
    base = workshop.identify(base)
    if placed.base_hash is not None and placed.base_hash != base.model_hash:
        recorded, found = (format_hash(one)[:11] for one in (placed.base_hash, base.model_hash))
        raise CheckpointError(f"{placed.label}: was made on {recorded}, as its record says; {base.label} is {found}")
    return replace(placed, base=base)


def _claimed(workshop: Workshop, placed: Placed) -> Placed:
    claim = placed.checkpoint.config.get("base_model_name_or_path")
    if not isinstance(claim, str) or not claim:
        raise CheckpointError(f"{placed.label}: an adapter that does not say of which base; --base MODEL names it")
    found = _found(workshop, placed, claim)
    if found is None:
        raise CheckpointError(
            f"{placed.label}: an adapter of {quoted(claim)}, as its {ADAPTER_CONFIG} says, and no such model "
            "is known here, lies there, or is in the Hub's cache; --base MODEL names it"
        )
    workshop.progress.say(
        f"{placed.label}: on the base {quoted(claim)} ({found.place}), which its {ADAPTER_CONFIG} claims"
    )
    return found


def _found(workshop: Workshop, placed: Placed, claim: str) -> Placed | None:
    """By what the registry knows, else as a path, else in the Hub's cache; nothing is downloaded."""
    known = look_up(workshop, placed.folder, claim)
    if known is not None:
        return workshop.by_hash(known)
    for place in (Path(claim), placed.folder / claim, placed.folder.parent / claim):
        if place.is_dir() and (place / "config.json").is_file():
            return workshop.place(claim, place)
    folder = _cached(claim, placed.checkpoint.config.get("revision")) if _HUB_ID.fullmatch(claim) else None
    return None if folder is None else workshop.place(claim, folder)


def _cached(repository: str, revision: object) -> Path | None:
    try:
        commit = commit_of(repository, revision if isinstance(revision, str) else None)
    except StorageError:
        return None
    return cached_snapshot(repository, commit)
