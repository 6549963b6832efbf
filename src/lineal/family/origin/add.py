"""Models that came from elsewhere: hashed, registered, named, with the step their record tells of and signatures."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.checkpoint.content.hashing import FolderHashes
from lineal.checkpoint.content.published import layout_faults
from lineal.checkpoint.inside import resolved
from lineal.checkpoint.reader import Checkpoint
from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError, LinealError, UsageError
from lineal.family.names import name_of_folder, parse_name
from lineal.family.session import LocalModel, Session, register
from lineal.family.trust.differences import manifest_faults, named_as_recorded, record_faults
from lineal.family.trust.signing import signatures_beside, take_signatures
from lineal.lineage.questions.layouts import if_another_layout, in_another_layout
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import Provenance, read_provenance, record_path
from lineal.lineage.records.records import Name, StepRecord
from lineal.lineage.signing.keys import PublicKey
from lineal.lineage.tables import references


@final
@dataclass(frozen=True)
class Added:
    """A model that is known from now on; folder: or the file that is all of it; history: what its record told.

    alike: the models that hold the same weights in another layout, and what they are called.
    """

    folder: Path
    name: Name
    model_hash: bytes
    history: str
    layout_hash: bytes | None
    alike: Mapping[bytes, str]


def add_folder(
    session: Session, folder: Path, name: str | None = None, keys: Sequence[PublicKey] = (), *, move: bool = False
) -> Added:
    """Know a model folder or a GGUF; one that contradicts its own record, or none of whose keys has signed, is refused.

    keys: trusted from now on: each must have signed the model or the step that gave it; move: the name may stand for
    another model, which a folder's own name always may: what it held has changed.
    So may that of a parent which nobody had brought.
    """
    called = parse_name(name) if name else name_of_folder(folder)
    label = name or resolved(folder).name
    local = session.identify(session.open(label, folder))
    provenance = read_provenance(folder)
    if provenance and provenance.hashes.manifest.model_hash != local.model_hash:
        here, recorded = (format_hash(one.model_hash)[:11] for one in (local, provenance.hashes.manifest))
        same = if_another_layout(local.record, provenance)
        raise CheckpointError(f"{folder}: holds {here}, its record is of {recorded}{same}")
    if provenance and local.hashes:
        _believe(folder, provenance, local.checkpoint, local.hashes)
    called = replace(called, model_hash=local.model_hash)
    before = _before(session, called)
    if before is not None and name and not move and not session.registry.model(before).is_unresolved:
        raise UsageError(f"{called} stands for {format_hash(before)[:11]} already; --move lets it stand for {folder}")
    told, history = _history(session, local, provenance)
    signed = signatures_beside(session, folder, local.model_hash, keys)
    _ = register(session, local)
    if told is not None:
        _ = session.registry.record(told)
    take_signatures(session, folder, local.model_hash, signed, keys)
    session.registry.set_name(called)
    if before is not None:
        history += f"; {called} was {format_hash(before)[:11]} before"
    for fault in layout_faults(local.checkpoint):
        session.progress.say(f"nothing can be made of it, and it has no layout hash: {fault}")
    return Added(folder, called, local.model_hash, history, *_layout(session, local.model_hash))


def _layout(session: Session, model_hash: bytes) -> tuple[bytes | None, Mapping[bytes, str]]:
    """The layout hash, and the other models that have it."""
    known = session.registry.model(model_hash)
    with session.registry.reading() as connection:
        alike = in_another_layout(connection, known)
        return known.layout_hash, references.labels(connection, alike)


def _believe(folder: Path, provenance: Provenance, checkpoint: Checkpoint, hashes: FolderHashes) -> None:
    """Refuse a record that is not of these files."""
    found = named_as_recorded(checkpoint, hashes, provenance)
    faults = tuple(record_faults(hashes.manifest, provenance, found, record_path(folder).name))
    if faults:
        raise CheckpointError(f"{folder}: {faults[0]}; lineal verify {folder} tells all")


def _history(session: Session, local: LocalModel, provenance: Provenance | None) -> tuple[StepRecord | None, str]:
    """The step that a record tells of, and that in words; one that gives its own input is computed before."""
    if provenance is None:
        return None, "an original, as far as is known"
    step, told = provenance.step, provenance.told(time.time())
    history = f"{step.type} ({step.method}) of {', '.join(provenance.input_names) or 'nothing'}"
    if not provenance.gives_its_input:
        return told, history
    from lineal.family.trust.replay import replay, why_not  # numpy and numba, which few additions need

    try:
        found = replay(session, step, local.label, at_hand=[local])
    except LinealError as error:
        return None, f"its {history} would have given its own input, and is not kept: {why_not(told, error)}"
    faults = tuple(manifest_faults(local.manifest, found, "recomputed", "package entry"))
    if faults:
        record = record_path(local.path)
        raise CheckpointError(f"{record}: the {step.method} of itself that it tells of does not give it: {faults[0]}")
    return replace(told, evidence=Evidence.REPLAYED, share=1.0), f"{history}, which reproduces it"


def _before(session: Session, called: Name) -> bytes | None:
    """What the name stands for, if that is something else."""
    standing = {str(name): name.model_hash for name in session.registry.names(called.family)}.get(str(called))
    return None if standing == called.model_hash else standing
