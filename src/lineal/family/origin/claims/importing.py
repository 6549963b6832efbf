"""Claims made part of the lineage: parents looked up by name, path or hash, unknown ones kept as unresolved."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lineal.checkpoint.inside import resolved
from lineal.derivation.step import Input, Step
from lineal.errors import AnswerIsNo
from lineal.family.origin.add import add_folder
from lineal.family.origin.claims.claim import Claim, read_claims
from lineal.family.session import LocalModel, Session
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import StepRecord
from lineal.lineage.stated.unresolved import known_as, mention, placeholder_hash, settle


@final
@dataclass(frozen=True)
class Parent:
    """A model as a claim names it. model: the one it stands for; resolved: whether that was ever seen here."""

    reference: str
    model: bytes
    resolved: bool


@final
@dataclass(frozen=True)
class Imported:
    """A claimed step that stands in the lineage now. replaced: earlier ones whose parents were not known then."""

    place: Path
    model: bytes
    claim: Claim
    parents: tuple[Parent, ...]
    replaced: int
    remarks: tuple[str, ...]


def import_place(session: Session, place: Path) -> Imported:
    """Know a model and what its files claim; nothing claimed is an AnswerIsNo, a cycle a LineageCycle."""
    local = session.open(resolved(place).name, place)
    claims = read_claims(local.checkpoint)
    if not claims:
        raise AnswerIsNo(f"{place}: no mergekit_config.yml, adapter_config.json or card there names a parent")
    child = _known(session, session.identify(local), place)
    claim = claims[0]
    parents = tuple(_parent(session, local.folder, name) for _, name in claim.inputs)
    step = Step(
        type=claim.kind,
        method=claim.method,
        version=claim.version,
        inputs=tuple(Input(role, p.model) for (role, _), p in zip(claim.inputs, parents, strict=True)),
        options=claim.options,
    )
    earlier = [record for record in session.registry.steps_of(child) if _is_superseded(record, parents)]
    _ = session.registry.record(StepRecord(step, child, Evidence.CLAIMED, {}, 0.0, time.time()))
    for parent in parents:
        if not parent.resolved:
            _ = mention(session.registry, parent.reference)
    settle(session.registry, child, earlier, {p.reference: p.model for p in parents if p.resolved})
    return Imported(place, child, claim, parents, len(earlier), _remarks(claims))


def look_up(session: Session, folder: Path, reference: str) -> bytes | None:
    """The model that a reference in a folder's files stands for here; None where nobody brought it."""
    for place in (Path(reference), folder / reference, folder.parent / reference):
        if place.exists() and session.knows_path(place):
            return session.registry.resolve(f"{place.resolve()}")
    return known_as(session.registry, reference)


def _known(session: Session, local: LocalModel, place: Path) -> bytes:
    """The model's hash, in the registry; one that has a name keeps it."""
    registry = session.registry
    named = registry.knows(local.model_hash) and registry.names_of(local.model_hash)
    if named and not registry.model(local.model_hash).is_unresolved:
        return local.model_hash
    return add_folder(session, place).model_hash


def _parent(session: Session, folder: Path, reference: str) -> Parent:
    found = look_up(session, folder, reference)
    return Parent(reference, placeholder_hash(reference) if found is None else found, found is not None)


def _is_superseded(record: StepRecord, parents: Sequence[Parent]) -> bool:
    """Whether a step is the same claim, made while a parent that is known now was a placeholder."""
    inputs = [used.model_hash for used in record.step.inputs]
    if record.evidence is not Evidence.CLAIMED or len(inputs) != len(parents):
        return False
    alike = all(used in (p.model, placeholder_hash(p.reference)) for used, p in zip(inputs, parents, strict=True))
    return alike and any(used != p.model for used, p in zip(inputs, parents, strict=True))


def _remarks(claims: Sequence[Claim]) -> tuple[str, ...]:
    first, *others = claims
    told = {name for _, name in first.inputs}
    return tuple(
        f"{other.file.name} names {', '.join(name for _, name in other.inputs)}; {first.file.name} is believed"
        for other in others
        if {name for _, name in other.inputs} - told
    )
