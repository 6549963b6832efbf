"""Checking the lineage against the bytes: hash everything again, and recompute what is exact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, final

from lineal.checkpoint.content.hashing import hash_checkpoint, hash_file
from lineal.checkpoint.content.identity import Manifest
from lineal.checkpoint.package import CARD
from lineal.checkpoint.reader import open_checkpoint
from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError, LinealError, MethodError, UsageError
from lineal.family.session import Session
from lineal.family.trust.differences import layout_faults, manifest_faults, named_as_recorded, record_faults
from lineal.family.trust.replay import refuse_changed_stacks, replay, reproducibility_of, why_not
from lineal.lineage.questions.ancestry import topological_order
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import Provenance, read_provenance, record_path
from lineal.lineage.records.records import StepRecord
from lineal.methods.method import Reproducibility
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Verdict:
    """What verification found of one model. faults: empty when everything agrees.

    recomputed: tensors computed again and equal, of so many that were recorded; why_not: why none was, in words;
    remarks: what is not as it was, and may well be so.
    """

    label: str
    model_hash: bytes
    folder: Path | None
    faults: tuple[str, ...]
    recomputed: int = 0
    why_not: str = ""
    tensors: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found that speaks against the model."""
        return not self.faults


def verify_references(
    session: Session,
    references: Sequence[str],
    family: str | None = None,
    *,
    recompute: bool = True,
    share: float = 1.0,
    deep: bool = False,
) -> Iterator[Verdict]:
    """Each referenced model, then each of the family in the order of naming, once; a path may be of an unknown one.

    share: of each model's tensors, to recompute; deep: also everything that they go back to, before them.
    """
    registry = session.registry
    wanted = list(references) + [str(name) for name in (registry.names(family) if family else ())]
    if family and len(wanted) == len(references):
        raise UsageError(f"no model is named in the family {quoted(family)}")
    seen: set[bytes] = set()
    for reference in wanted:
        is_path = "/" in reference or reference in (".", "..")
        if is_path and not session.knows_path(Path(reference)):
            yield verify_folder(session, Path(reference))
            continue
        model_hash = registry.resolve(reference)
        for digest in topological_order(registry, model_hash) if deep else (model_hash,):
            if digest not in seen:  # it may be named, and in the family, too
                seen.add(digest)
                yield verify_model(session, digest, recompute=recompute, share=share)


def verify_model(session: Session, model_hash: bytes, *, recompute: bool = True, share: float = 1.0) -> Verdict:
    """Read every byte of a known model, trusting nothing remembered; then recompute its step if that is exact."""
    label = session.registry.label(model_hash)
    if session.registry.model(model_hash).is_unresolved:
        return Verdict(label, model_hash, None, (), why_not="never added here: nothing is known of its content")
    places = [path for path in session.registry.locations(model_hash) if path.exists()]
    if not places:
        return Verdict(label, model_hash, None, ("lies nowhere on this machine",))
    folder, manifest = places[0], session.registry.manifest(model_hash)
    found = ((place, _folder_faults(session, label, place, manifest)) for place in places)
    faults = tuple(f"{place}: {fault}" for place, in_place in found for fault in in_place)
    verdict = Verdict(label, model_hash, folder, faults, remarks=tuple(filter(None, map(_card_remark, places))))
    steps = session.registry.steps_of(model_hash)
    made = [step for step in steps if not step.reproduces]
    if faults or not steps:
        return replace(verdict, why_not="" if steps else "an original: nothing to recompute")
    if not recompute:
        return replace(verdict, why_not="recomputation was not asked for" if made else "an original")
    again = ((step, _recomputed(session, verdict, step, share)) for step in steps if step.reproduces)
    verdict = replace(verdict, remarks=(*verdict.remarks, *_disagreements(again)))
    if not made:
        return replace(verdict, why_not="an original: nothing to recompute")
    return _joined(verdict, [(step, _recomputed(session, verdict, step, share)) for step in made])


def _joined(verdict: Verdict, found: Sequence[tuple[StepRecord, Verdict]]) -> Verdict:
    """One verdict over all steps that are said to have given the model: where one of them does, the others are wrong.

    What contradicts is a step, never the model; where no step gives it, that is a fault of its record.
    """
    agreed = [judged for _, judged in found if judged.recomputed and judged.ok]
    wrong = [judged for _, judged in found if not judged.ok]
    if not agreed:
        return wrong[0] if wrong else found[0][1]
    return replace(agreed[0], remarks=(*verdict.remarks, *_disagreements(found)))


def _disagreements(found: Iterable[tuple[StepRecord, Verdict]]) -> Iterator[str]:
    """A line for each step that gives something else."""
    for record, judged in found:
        if not judged.ok:
            told = f"the {record.step.method} step {format_hash(record.step.derivation_id)[:11]}"
            yield f"{told} does not give it: {judged.faults[0]}"


def verify_folder(session: Session, folder: Path) -> Verdict:
    """Check a folder or file that nobody registered against its own record."""
    provenance = read_provenance(folder)
    if provenance is None:
        record = record_path(folder).name
        raise CheckpointError(f"{folder}: no {record}, and not in the registry: nothing to check it against")
    manifest = provenance.hashes.manifest
    faults = tuple(_folder_faults(session, str(folder), folder, manifest))
    remarks = tuple(filter(None, [_card_remark(folder)]))
    why_not = "not in the registry: only hashed again"
    return Verdict(str(folder), manifest.model_hash, folder, faults, why_not=why_not, remarks=remarks)


def _recomputed(session: Session, verdict: Verdict, record: StepRecord, share: float) -> Verdict:
    if record.evidence in (Evidence.CLAIMED, Evidence.INFERRED):
        return replace(verdict, why_not=f"its step is {record.evidence.value}, not recorded: nothing to recompute")
    try:
        kind = reproducibility_of(record.step)
    except MethodError as error:  # a package's, and the package is not here
        return replace(verdict, why_not=why_not(record, error))
    if kind is not Reproducibility.EXACT:
        return replace(verdict, why_not=f"{record.step.method} is {kind.value}, not exact")
    expected = session.registry.manifest(verdict.model_hash)
    try:
        found = replay(session, record.step, verdict.label, share)
        drawn = {leaf.name for leaf in found.leaves}
        asked = expected
        if share < 1:
            asked = replace(expected, leaves=tuple(leaf for leaf in expected.leaves if leaf.name in drawn))
        faults = tuple(manifest_faults(asked, found, "recomputed", "package entry"))
        if faults:
            refuse_changed_stacks(session, record.step)
    except LinealError as error:
        return replace(verdict, why_not=f"could not be recomputed: {why_not(record, error)}")
    if faults:
        session.registry.raise_evidence(record, Evidence.CONTRADICTED)
    else:
        session.registry.raise_evidence(record, Evidence.REPLAYED, len(asked.leaves) / max(1, len(expected.leaves)))
    return replace(verdict, faults=faults, recomputed=len(found.leaves), tensors=len(expected.leaves))


def _folder_faults(session: Session, label: str, folder: Path, expected: Manifest) -> Iterator[str]:
    try:
        checkpoint = open_checkpoint(folder)
        with session.progress.task(f"hashing {label}", checkpoint.tensor_bytes, "bytes") as advance:
            hashes = hash_checkpoint(checkpoint, threads=session.threads, bytes_read=advance)
        provenance = read_provenance(folder)
    except LinealError as error:
        yield str(error)
        return
    entries = "metadata" if checkpoint.form == "gguf" else "file"
    yield from manifest_faults(expected, hashes.manifest, "here", entries)
    if session.registry.knows(expected.model_hash):
        told = session.registry.model(expected.model_hash).layout_hash
        yield from layout_faults(expected, told, hashes, "the registry")
    if provenance is not None:
        name = record_path(folder).name
        yield from record_faults(expected, provenance, named_as_recorded(checkpoint, hashes, provenance), name)
        yield from _step_faults(session, expected.model_hash, provenance, name)


def _step_faults(session: Session, model_hash: bytes, provenance: Provenance, record: str) -> Iterator[str]:
    """What the record beside the model says of how it was made, against the steps that the registry knows."""
    if not session.registry.knows(model_hash):
        return
    known = [found.step for found in session.registry.steps_of(model_hash)]
    step = provenance.step
    if known and all(step.derivation_id != other.derivation_id for other in known):
        nearest = min((list(_differences(other.to_json(), step.to_json())) for other in known), key=len)
        yield f"{record} tells of another step than the registry: {'; '.join(nearest)}"


def _differences(known: Mapping[str, Any], told: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for key in sorted(known.keys() | told.keys()):
        was, now = known.get(key), told.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(cast(dict[str, Any], was), cast(dict[str, Any], now), f"{place}{key}.")
        elif was != now:
            yield f"{place}{key} is {str(now)[:80]}, known {str(was)[:80]}"


def _card_remark(place: Path) -> str | None:
    """A card is for people to write on; that somebody has is worth a word."""
    try:
        provenance = read_provenance(place)
    except LinealError:  # a fault, told as one
        return None
    recorded = provenance.hashes.files.get(CARD) if provenance else None
    if recorded is None:
        return None
    card = place / CARD
    if not card.is_file():
        return f"{card} is gone"
    return None if hash_file(card) == recorded.digest else f"{card} was edited since it was made"
