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
from lineal.errors import CheckpointError, LinealError, MethodError, UsageError
from lineal.family.build.make import Made, make
from lineal.family.build.request import Order, identified, key_of_files, step_of, weight_paths, work_key
from lineal.family.build.scratch import Place
from lineal.family.build.target import check_target
from lineal.family.session import Placed, Workshop, name_by_place, register
from lineal.lineage.records.environment import environment
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import Provenance, read_provenance, record_path, write_provenance
from lineal.lineage.records.records import ModelRecord, Outcome, StepRecord
from lineal.lineage.shown.card import model_card
from lineal.methods.finetune import Training
from lineal.methods.merge import GreedySoup
from lineal.methods.method import Method, Reproducibility
from lineal.methods.plain import registrant
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Built:
    """A finished model, and whether it was there already."""

    placed: Placed
    was_present: bool


def build(workshop: Workshop, order: Order) -> Built:
    """The finished model. It appears at once or not at all; what stood there before is kept aside."""

    def waiting() -> None:
        workshop.progress.say(f"waiting for another run that is building {order.target}")

    with output_lock(order.target, waiting):
        check_target(order.target, order.method)
        known = _existing(workshop, order)
        if known is not None:
            _tidy_up(workshop, order)
        return Built(known or _build_anew(workshop, order), was_present=known is not None)


def existing(workshop: Workshop, order: Order) -> tuple[Placed, Provenance] | None:
    """The model and its record, if this very derivation lies at the target intact."""
    if not order.target.exists():
        return None
    order = identified(workshop, order)
    try:
        placed = workshop.identify(workshop.place(str(order.name), order.target))
        provenance = read_provenance(order.target)
        step = step_of(workshop, _settled(order, provenance))
    except CheckpointError as error:
        workshop.progress.say(f"{order.target} is damaged and will be made anew: {error}")
        return None
    if provenance is None or step is None or provenance.step.derivation_id != step.derivation_id:
        return None
    if _altered(provenance, placed):
        workshop.progress.say(f"{order.target} has changed since it was made, and will be made anew")
        return None
    return placed, provenance


def _existing(workshop: Workshop, order: Order) -> Placed | None:
    """The same, known to the registry."""
    found = existing(workshop, order)
    if found is None:
        return None
    placed, provenance = found
    if placed.model_hash not in workshop.registry.derived(provenance.step.derivation_id):
        _record(workshop, identified(workshop, order), provenance, order.target, seconds=0.0)
    _place_and_name(workshop, order, provenance)
    return placed


def _tidy_up(workshop: Workshop, order: Order) -> None:
    """A kill may have come between publishing the model and removing where it was made; other work stays."""
    left = partial_folders(order.target)
    if left:
        keys = (work_key(workshop, identified(workshop, order)), key_of_files(workshop, order))
        for partial in {partial_folder(order.target, key) for key in keys}.intersection(left):
            shutil.rmtree(partial)


def _place_and_name(workshop: Workshop, order: Order, provenance: Provenance) -> None:
    """Where a known model lies and what it is called: it may have been moved, or a kill came before that was noted."""
    registry, model = workshop.registry, provenance.hashes.manifest.model_hash
    if order.target.resolve() not in registry.locations(model):
        _ = registry.add_model(_model_record(provenance), order.target)
    if (name := replace(order.name, model_hash=model)) not in registry.names_of(model):
        registry.set_name(name)


def _settled(order: Order, provenance: Provenance | None) -> Order:
    """With what making it found out: it follows from the inputs and data that the step names."""
    match order.method:
        case Training(tokens=int()):
            found = "epochs"
        case Method(found=str(found)):
            pass
        case _:
            return order
    recorded = provenance.step.options.get(found) if provenance else None
    try:
        method = order.method.from_options({**order.method.options(), found: recorded})
    except MethodError:  # another method's record
        return order
    return replace(order, method=method)


def _altered(provenance: Provenance, placed: Placed) -> bool:
    """Whether weights, package or headers are not what was written; a card may be edited."""
    found = placed.hashes.files if placed.hashes else {}
    files = ((path, file) for path, file in provenance.hashes.files.items() if path != CARD)
    return provenance.hashes.manifest.model_hash != placed.model_hash or any(
        found.get(path) != file for path, file in files
    )


def _build_anew(workshop: Workshop, order: Order) -> Placed:
    began = time.monotonic()
    if isinstance(order.method, Training | GreedySoup):  # which hash inputs midway, and their work is found by its key
        order = identified(workshop, order)
    key = work_key(workshop, order)
    partial = partial_folder(order.target, key)
    for other in partial_folders(order.target):
        if other != partial:  # nobody will continue it
            shutil.rmtree(other)
    partial.mkdir(exist_ok=True)
    child = partial / "child"
    opened = {path: os.stat(path) for _, placed in order.inputs for path in weight_paths(placed)}
    try:
        made = make(workshop, order, Place(child, partial / "work", key.hex()))
    except LinealError as error:
        if not _worth_keeping(partial, error):
            shutil.rmtree(partial)
        raise
    learnt = tuple((role, _learn(workshop, placed, made, opened)) for role, placed in order.inputs)
    order = replace(order, inputs=learnt, method=made.method)
    place = _give_name(child, order.target)
    provenance = _describe(workshop, order, place, made)
    standing = _standing(workshop, order.target)
    earlier = format_hash(standing.model_hash)[3:15] if standing else "unreadable"
    moved = _publish(place, order.target, f"{order.target.name}-{earlier}")
    shutil.rmtree(partial)
    if moved is not None:
        workshop.progress.say(f"{order.target} was replaced; what stood there is now {moved}")
        if standing is not None and standing.model_hash != provenance.hashes.manifest.model_hash:
            register(workshop, replace(standing, checkpoint=open_checkpoint(moved)))
    _record(workshop, order, provenance, order.target, time.monotonic() - began)
    placed = replace(workshop.place(str(order.name), order.target), hashes=provenance.hashes)
    workshop.remember(placed)
    return placed


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


def _standing(workshop: Workshop, target: Path) -> Placed | None:
    """What is about to be replaced, if it is a model that can still be read."""
    try:
        return workshop.identify(workshop.place(target.name, target)) if target.exists() else None
    except CheckpointError:
        return None


def _learn(workshop: Workshop, placed: Placed, made: Made, opened: Mapping[Path, os.stat_result]) -> Placed:
    """The input with its hashes; those computed in passing are remembered, and must agree with what was known."""
    read: dict[str, bytes] = {}
    for path in weight_paths(placed):
        in_file = made.inputs.get(str(path), {})
        read.update(in_file)
        if {spec.name for spec in placed.checkpoint.values() if spec.path == path} == in_file.keys():
            workshop.memory.remember(path, opened[path], in_file)
    if placed.hashes is not None:
        for leaf in placed.hashes.manifest.leaves:
            if read.get(leaf.name, leaf.data_hash) != leaf.data_hash:
                raise CheckpointError(
                    f"{placed.folder}: {quoted(leaf.name)} changed since it was hashed; run this again"
                )
    return workshop.identify(placed, read)


def _describe(workshop: Workshop, order: Order, place: Path, made: Made) -> Provenance:
    """Write the record of what was made, and into a folder the card."""
    step = step_of(workshop, order)
    if step is None:
        raise LinealError(f"{order.name}: an input's hash is still unknown")
    checkpoint = open_checkpoint(place)
    known = {name: leaf.data_hash for name, leaf in made.leaves.items()}
    hashes = hash_checkpoint(checkpoint, threads=workshop.threads, known=known)
    names = tuple(placed.label for _, placed in order.inputs)
    hub_ids = {label: str(origin.hub) for label, origin in order.hub_origins.items()}
    provenance = Provenance(step, names, hashes, checkpoint.form, environment(registrant(order.method.origin)))
    if not checkpoint.lone:
        card = model_card(order.name.name, provenance, hub_ids, order.licence)
        (place / CARD).write_text(card, encoding="utf-8")
        provenance = replace(provenance, hashes=with_file(hashes, place, CARD))
    write_provenance(place, provenance)
    return provenance


def _record(workshop: Workshop, order: Order, provenance: Provenance, place: Path, seconds: float) -> None:
    registry = workshop.registry
    for _, placed in order.inputs:
        register(workshop, placed)
        name_by_place(workshop, placed)
    child = registry.add_model(_model_record(provenance), place)
    record = StepRecord(provenance.step, child, Evidence.RECORDED, provenance.environment, seconds, time.time())
    recording = registry.record(record)
    registry.set_name(replace(order.name, model_hash=child))
    if recording.outcome is Outcome.IRREPRODUCIBLE and order.method.reproducibility is Reproducibility.EXACT:
        others = ", ".join(format_hash(other)[:11] for other in recording.other_children)
        workshop.progress.say(f"{order.name}: an exact method gave other bytes before ({others}); both are kept")


def _model_record(provenance: Provenance) -> ModelRecord:
    licence = provenance.hashes.licence
    return ModelRecord(provenance.hashes.manifest, provenance.form, licence.hex() if licence else None)
