"""The base that an adapter is run on: what its record says, what it is told, or what adapter_config.json claims."""

import re
from dataclasses import replace
from pathlib import Path

from lineal.checkpoint.reader import ADAPTER_CONFIG, is_lone_file
from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError, StorageError, UsageError
from lineal.family.hub.repository import cached_snapshot, commit_of
from lineal.family.origin.claims.importing import look_up
from lineal.family.session import LocalModel, Session
from lineal.shown import quoted

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def with_base(session: Session, local: LocalModel, named: str | None = None) -> LocalModel:
    """An adapter beside its base; any other model as it is.

    named: the base as a user names it. A base that only the adapter's own files claim is tried, and it is said so.
    """
    if local.form != "adapter":
        if named is not None:
            raise UsageError(f"{local.label}: --base names the base of an adapter, and this is none")
        return local
    if named is None and local.base is not None:
        return local
    base = _claimed(session, local) if named is None else session.find(named)
    if base.form == "adapter":
        raise CheckpointError(f"{local.label}: its base {base.label} is an adapter, not a model in full")
    base = session.identify(base)
    if local.base_hash is not None and local.base_hash != base.model_hash:
        recorded, found = (format_hash(one)[:11] for one in (local.base_hash, base.model_hash))
        raise CheckpointError(f"{local.label}: was made on {recorded}, as its record says; {base.label} is {found}")
    return replace(local, base=base)


def _claimed(session: Session, local: LocalModel) -> LocalModel:
    claim = local.checkpoint.config.get("base_model_name_or_path")
    if not isinstance(claim, str) or not claim:
        raise CheckpointError(f"{local.label}: an adapter that does not name its base; give it with --base MODEL")
    found = _found(session, local, claim)
    if found is None:
        raise CheckpointError(
            f"{local.label}: its {ADAPTER_CONFIG} names the base {quoted(claim)}, which is not known here, not at "
            "that path and not in the Hub's cache; give it with --base MODEL"
        )
    session.progress.say(
        f"{local.label}: on the base {quoted(claim)} ({found.path}), which its {ADAPTER_CONFIG} claims"
    )
    return found


def _found(session: Session, local: LocalModel, claim: str) -> LocalModel | None:
    """By what the registry knows, else as a path, else in the Hub's cache; nothing is downloaded."""
    known = look_up(session, local.folder, claim)
    if known is not None:
        return session.by_hash(known)
    for place in (Path(claim), local.folder / claim, local.folder.parent / claim):
        if (place / "config.json").is_file() or (place.is_file() and is_lone_file(place)):
            return session.open(claim, place)
    folder = _cached(claim, local.checkpoint.config.get("revision")) if _HUB_ID.fullmatch(claim) else None
    return None if folder is None else session.open(claim, folder)


def _cached(repository: str, revision: object) -> Path | None:
    try:
        commit = commit_of(repository, revision if isinstance(revision, str) else None)
    except StorageError:
        return None
    return cached_snapshot(repository, commit)
