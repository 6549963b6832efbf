"""Models that came from elsewhere: hashed, registered, named, and with the step their lineal.json tells of."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError
from lineal.family.names import name_of_folder, parse_name
from lineal.family.workshop import Workshop
from lineal.lineage.evidence import Evidence
from lineal.lineage.lineal_json import read_provenance
from lineal.lineage.records import ModelRecord, Name, StepRecord


@final
@dataclass(frozen=True)
class Added:
    """A model that is known from now on; folder: or the file that is all of it; history: what its record told."""

    folder: Path
    name: Name
    model_hash: bytes
    history: str


def add_folder(workshop: Workshop, folder: Path, name: str | None = None) -> Added:
    """Know a model folder or a GGUF; one whose content contradicts its own record is refused."""
    label = name or folder.resolve().name
    placed = workshop.identify(workshop.place(label, folder))
    provenance = read_provenance(folder)
    if provenance and provenance.hashes.manifest.model_hash != placed.model_hash:
        recorded = format_hash(provenance.hashes.manifest.model_hash)[:11]
        raise CheckpointError(f"{folder}: holds {format_hash(placed.model_hash)[:11]}, its record is of {recorded}")
    hashes = placed.hashes
    licence = hashes.licence.hex() if hashes and hashes.licence else None
    if hashes is not None:
        record = ModelRecord(hashes.manifest, placed.form, licence, placed.stated_licence)
        workshop.registry.add_model(record, folder.resolve())
    history = "an original, as far as is known"
    if provenance is not None:
        step = provenance.step
        done = StepRecord(step, placed.model_hash, Evidence.RECORDED, provenance.environment, 0.0, time.time())
        workshop.registry.record(done)
        history = f"{step.type} ({step.method}) of {', '.join(provenance.input_names) or 'nothing'}"
    called = replace(parse_name(name) if name else name_of_folder(folder), model_hash=placed.model_hash)
    workshop.registry.set_name(called)
    return Added(folder, called, placed.model_hash, history)
