"""One model of a family, from recipe to published folder or file: what exists is kept, what was killed is continued."""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.checkpoint.content.hashing import hash_checkpoint, with_file
from lineal.checkpoint.package import CARD
from lineal.checkpoint.reader import GGUF_SUFFIX, is_lone_file, open_checkpoint
from lineal.checkpoint.written.publish import output_lock, partial_folder, partial_folders, publish, publish_file
from lineal.derivation.hashes import format_hash
from lineal.engines.stream.compound import OF_CHILD
from lineal.errors import CheckpointError, LinealError, MethodError, UsageError
from lineal.family.build.make import Made
from lineal.family.build.makers.table import maker_of
from lineal.family.build.request import Request, identified, key_of_files, step_of, weight_paths, work_key
from lineal.family.build.scratch import Scratch
from lineal.family.build.target import check_target
from lineal.family.session import LocalModel, Session, name_by_path, register
from lineal.lineage.records.environment import environment
from lineal.lineage.records.lineal_json import Provenance, read_provenance, record_path, write_provenance
from lineal.lineage.records.quantization_report import report_of
from lineal.lineage.records.records import ModelRecord, Outcome
from lineal.lineage.shown.card import model_card
from lineal.lineage.shown.report_words import closeness, taken
from lineal.methods.catalogue import registrant
from lineal.methods.method import Reproducibility
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Built:
    """A finished model, and whether it was there already."""

    local: LocalModel
    was_present: bool


def build(session: Session, request: Request) -> Built:
    """The finished model. It appears at once or not at all; what stood there before is kept aside."""

    def waiting() -> None:
        session.progress.say(f"waiting for another run that is building {request.target}")

    with output_lock(request.target, waiting):
        check_target(request.target, request.method)
        known = _existing(session, request)
        if known is not None:
            _tidy_up(session, request)
        return Built(known or _build_anew(session, request), was_present=known is not None)


def existing(session: Session, request: Request) -> tuple[LocalModel, Provenance] | None:
    """The model and its record, if this very derivation lies at the target intact."""
    if not request.target.exists():
        return None
    request = identified(session, request)
    try:
        local = session.identify(session.open(str(request.name), request.target))
        provenance = read_provenance(request.target)
        step = step_of(session, _settled(request, provenance))
    except CheckpointError as error:
        session.progress.say(f"{request.target} is damaged and will be made anew: {error}")
        return None
    if provenance is None or step is None or provenance.step.derivation_id != step.derivation_id:
        return None
    if local.hashes is None or _altered(provenance, local):
        session.progress.say(f"{request.target} has changed since it was made, and will be made anew")
        return None
    return local, replace(provenance, hashes=replace(provenance.hashes, published=local.hashes.published))


def _existing(session: Session, request: Request) -> LocalModel | None:
    """The model, if this very derivation lies at the target intact; the registry knows it from then on."""
    found = existing(session, request)
    if found is None:
        return None
    local, provenance = found
    if local.model_hash not in session.registry.derived(provenance.step.derivation_id):
        _record(session, identified(session, request), provenance, request.target, seconds=0.0)
    _locate_and_name(session, request, provenance)
    return local


def _tidy_up(session: Session, request: Request) -> None:
    """A kill may have come between publishing the model and removing where it was made; other work stays."""
    left = partial_folders(request.target)
    if left:
        keys = (work_key(session, identified(session, request)), key_of_files(session, request))
        for partial in {partial_folder(request.target, key) for key in keys}.intersection(left):
            shutil.rmtree(partial)


def _locate_and_name(session: Session, request: Request, provenance: Provenance) -> None:
    """Where a known model lies and what it is called: it may have been moved, or a kill came before that was noted."""
    registry, model = session.registry, provenance.hashes.manifest.model_hash
    if request.target.resolve() not in registry.locations(model):
        _ = registry.add_model(_model_record(provenance), request.target)
    if (name := replace(request.name, model_hash=model)) not in registry.names_of(model):
        registry.set_name(name)


def _settled(request: Request, provenance: Provenance | None) -> Request:
    """With what making it found out: it follows from the inputs and data that the step names."""
    found = request.method.found_in_making
    if found is None:
        return request
    recorded = provenance.step.options.get(found) if provenance else None
    try:
        method = request.method.from_options({**request.method.options(), found: recorded})
    except MethodError:  # another method's record
        return request
    return replace(request, method=method)


def _altered(provenance: Provenance, local: LocalModel) -> bool:
    """Whether weights, package or headers are not what was written; a card may be edited."""
    found = local.hashes.files if local.hashes else {}
    files = ((path, file) for path, file in provenance.hashes.files.items() if path != CARD)
    return provenance.hashes.manifest.model_hash != local.model_hash or any(
        found.get(path) != file for path, file in files
    )


def _build_anew(session: Session, request: Request) -> LocalModel:
    began = time.monotonic()
    if not maker_of(request.method).planned_whole:  # it hashes inputs midway, and its work is found by its key
        request = identified(session, request)
    key = work_key(session, request)
    partial = partial_folder(request.target, key)
    for other in partial_folders(request.target):
        if other != partial:  # nobody will continue it
            shutil.rmtree(other)
    partial.mkdir(exist_ok=True)
    child = partial / "child"
    opened = {path: os.stat(path) for _, local in request.inputs for path in weight_paths(local)}
    try:
        made = maker_of(request.method).make(session, request, Scratch(child, partial / "work", key.hex()))
    except LinealError as error:
        if not _worth_keeping(partial, error):
            shutil.rmtree(partial)
        raise
    learnt = tuple((role, _learn(session, local, made, opened)) for role, local in request.inputs)
    request = replace(request, inputs=learnt, method=made.method)
    place = _give_name(child, request.target)
    provenance = _describe(session, request, place, made)
    standing = _standing(session, request.target)
    earlier = format_hash(standing.model_hash)[3:15] if standing else "unreadable"
    moved = _publish(place, request.target, f"{request.target.name}-{earlier}")
    shutil.rmtree(partial)
    if moved is not None:
        session.progress.say(f"{request.target} was replaced; what stood there is now {moved}")
        if standing is not None and standing.model_hash != provenance.hashes.manifest.model_hash:
            register(session, replace(standing, checkpoint=open_checkpoint(moved)))
    _record(session, request, provenance, request.target, time.monotonic() - began)
    for line in _report(request, provenance):
        session.progress.say(f"{request.name.name}: {line}")
    local = replace(session.open(str(request.name), request.target), hashes=provenance.hashes)
    session.remember(local)
    return local


def _worth_keeping(partial: Path, error: LinealError) -> bool:
    """Whether a repeat could go on from there: a disk may get room again, what is refused stays refused."""
    refused = isinstance(error, UsageError | CheckpointError) and not any(partial.glob("work/checkpoint-*"))
    return not refused and any(path.is_file() for path in partial.rglob("*"))


def _give_name(child: Path, target: Path) -> Path:
    """Name a GGUF for its target; where the model now lies: the folder, or the file if the target is one."""
    found = open_checkpoint(child)
    if found.form != "gguf":
        return child
    lone = is_lone_file(target)
    named = child / (target.name if lone else f"{target.name}{GGUF_SUFFIX}")
    (child / found.weight_files[0]).rename(named)
    return named if lone else child


def _publish(place: Path, target: Path, replaced_as: str) -> Path | None:
    if place.is_dir():
        return publish(place, target, replaced_as)
    return publish_file(place, record_path(place), target, replaced_as)


def _standing(session: Session, target: Path) -> LocalModel | None:
    """What is about to be replaced, if it is a model that can still be read."""
    try:
        return session.identify(session.open(target.name, target)) if target.exists() else None
    except CheckpointError:
        return None


def _learn(session: Session, local: LocalModel, made: Made, opened: Mapping[Path, os.stat_result]) -> LocalModel:
    """The input with its hashes; those computed in passing are remembered, and must agree with what was known."""
    read: dict[str, bytes] = {}
    for path in weight_paths(local):
        in_file = made.inputs.get(str(path), {})
        read.update(in_file)
        if {spec.name for spec in local.checkpoint.values() if spec.path == path} == in_file.keys():
            session.memory.remember(path, opened[path], in_file)
    if local.hashes is not None:
        changed = local.hashes.differing(read)
        if changed is not None:
            raise CheckpointError(f"{local.folder}: {quoted(changed)} changed since it was hashed; run this again")
    return session.identify(local, read)


def _describe(session: Session, request: Request, place: Path, made: Made) -> Provenance:
    """Write the record of what was made, and into a folder the card."""
    step = step_of(session, request)
    if step is None:
        raise LinealError(f"{request.name}: an input's hash is still unknown")
    checkpoint = open_checkpoint(place)
    known = {name: leaf.data_hash for name, leaf in made.leaves.items()}
    parts = made.inputs.get(OF_CHILD)
    hashes = hash_checkpoint(checkpoint, threads=session.threads, known=known, known_parts=parts)
    names = tuple(local.label for _, local in request.inputs)
    hub_ids = {label: str(origin.hub) for label, origin in request.hub_origins.items()}
    here, rounding = environment(registrant(request.method.origin)), made.rounding or None
    provenance = Provenance(step, names, hashes, checkpoint.form, here, rounding=rounding)
    if not checkpoint.lone:
        card = model_card(request.name.name, provenance, hub_ids, request.licence)
        (place / CARD).write_text(card, encoding="utf-8")
        provenance = replace(provenance, hashes=with_file(hashes, place, CARD))
    write_provenance(place, provenance)
    return provenance


def _report(request: Request, provenance: Provenance) -> list[str]:
    """Of a quantization: what it takes and what it cost, and what a user should know of the weights."""
    if provenance.rounding is None:
        return []
    report = report_of(provenance.hashes.manifest.leaves, provenance.rounding)
    parent = max(local.checkpoint.tensor_bytes for _, local in request.inputs)
    return [f"{taken(report.whole, parent)}, {closeness(report.rounded)}", *report.warnings]


def _record(session: Session, request: Request, provenance: Provenance, place: Path, seconds: float) -> None:
    registry = session.registry
    for _, local in request.inputs:
        register(session, local)
        name_by_path(session, local)
    child = registry.add_model(_model_record(provenance), place)
    record = replace(provenance.told(time.time()), seconds=seconds)
    recording = registry.record(record)
    registry.set_name(replace(request.name, model_hash=child))
    if recording.outcome is Outcome.IRREPRODUCIBLE and request.method.reproducibility is Reproducibility.EXACT:
        others = ", ".join(format_hash(other)[:11] for other in recording.other_children)
        session.progress.say(f"{request.name}: an exact method gave other bytes before ({others}); both are kept")


def _model_record(provenance: Provenance) -> ModelRecord:
    hashes = provenance.hashes
    licence = hashes.licence.hex() if hashes.licence else None
    return ModelRecord(hashes.manifest, provenance.form, licence, published=hashes.published, counted=hashes.parameters)
