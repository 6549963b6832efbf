"""Models that came from elsewhere: hashed, registered, named, with the step their record tells of and signatures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError
from lineal.family.names import name_of_folder, parse_name
from lineal.family.signing import signatures_beside, take_signatures
from lineal.family.workshop import Workshop, register
from lineal.lineage.evidence import Evidence
from lineal.lineage.lineal_json import read_provenance
from lineal.lineage.records import Name, StepRecord
from lineal.lineage.signing.keys import PublicKey


@final
@dataclass(frozen=True)
class Added:
    """A model that is known from now on; folder: or the file that is all of it; history: what its record told."""

    folder: Path
    name: Name
    model_hash: bytes
    history: str


def add_folder(workshop: Workshop, folder: Path, name: str | None = None, keys: Sequence[PublicKey] = ()) -> Added:
    """Know a model folder or a GGUF; one that contradicts its own record, or none of whose keys has signed, is refused.

    keys: trusted from now on: each must have signed the model or the step that gave it.
    """
    label = name or folder.resolve().name
    placed = workshop.identify(workshop.place(label, folder))
    provenance = read_provenance(folder)
    if provenance and provenance.hashes.manifest.model_hash != placed.model_hash:
        recorded = format_hash(provenance.hashes.manifest.model_hash)[:11]
        raise CheckpointError(f"{folder}: holds {format_hash(placed.model_hash)[:11]}, its record is of {recorded}")
    signed = signatures_beside(workshop, folder, placed.model_hash, keys)
    _ = register(workshop, placed)
    history = "an original, as far as is known"
    if provenance is not None:
        step = provenance.step
        done = StepRecord(step, placed.model_hash, Evidence.RECORDED, provenance.environment, 0.0, time.time())
        workshop.registry.record(done)
        history = f"{step.type} ({step.method}) of {', '.join(provenance.input_names) or 'nothing'}"
    take_signatures(workshop, folder, placed.model_hash, signed, keys)
    called = replace(parse_name(name) if name else name_of_folder(folder), model_hash=placed.model_hash)
    workshop.registry.set_name(called)
    return Added(folder, called, placed.model_hash, history)
