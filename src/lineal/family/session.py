"""What every family verb works with: the registry, remembered hashes, threads, and models found on disk."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, final

from lineal.checkpoint.content.hashing import FolderHashes, hash_checkpoint, recall_checkpoint, to_remember
from lineal.checkpoint.content.identity import Leaf, Manifest
from lineal.checkpoint.content.memory import HashMemory
from lineal.checkpoint.inside import resolved
from lineal.checkpoint.licence.stated import StatedLicence
from lineal.checkpoint.licence.texts import stated_licence
from lineal.checkpoint.reader import Checkpoint, Form, open_checkpoint
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Role
from lineal.engines.parents.stated import config_of
from lineal.errors import CheckpointError, LinealError, RegistryError, UsageError
from lineal.family.names import is_path, name_of_folder
from lineal.family.progress import Progress, Silent
from lineal.lineage.questions.layouts import if_another_layout
from lineal.lineage.records.lineal_json import read_provenance, record_path
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry


@final
@dataclass(frozen=True)
class LocalModel:
    """A model on this disk. hashes: None until somebody needs them.

    base: of an adapter, where it is known here; base_hash: what its record says it was trained on, known or not.
    """

    label: str
    checkpoint: Checkpoint
    base: "LocalModel | None" = None
    base_hash: bytes | None = None
    hashes: FolderHashes | None = None

    @property
    def folder(self) -> Path:
        return self.checkpoint.folder

    @property
    def path(self) -> Path:
        """The folder, or the file that is all of it."""
        return self.checkpoint.path

    @property
    def form(self) -> Form:
        return self.checkpoint.form

    @property
    def stated_licence(self) -> StatedLicence | None:
        """What is said beside it; nothing of what lineal made, whose licence follows from what it was made from."""
        return None if record_path(self.path).is_file() else stated_licence(self.checkpoint)

    @property
    def known_hashes(self) -> FolderHashes:
        """Known only after `Session.identify`."""
        if self.hashes is None:
            raise RegistryError(f"{self.label} has not been hashed yet")
        return self.hashes

    @property
    def manifest(self) -> Manifest:
        return self.known_hashes.manifest

    @property
    def model_hash(self) -> bytes:
        return self.manifest.model_hash

    @property
    def published(self) -> tuple[Leaf, ...]:
        """Its tensors as its architecture is published, and where that is not known as they are stored."""
        found = self.known_hashes.published
        return self.manifest.leaves if found is None else found

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its config.json, or an adapter's own; of a GGUF what follows from its metadata."""
        return config_of(self.checkpoint)

    @cached_property
    def record(self) -> ModelRecord:
        """What it is made of, as the registry keeps it."""
        hashes = self.known_hashes
        return ModelRecord(self.manifest, self.form, published=hashes.published, counted=hashes.parameters)


Inputs: TypeAlias = Sequence[tuple[Role, LocalModel]]
"""What a step is given, in its order: models by their roles."""


@final
@dataclass(frozen=True)
class Session:
    """The registry and what surrounds it on this machine."""

    registry: Registry
    threads: int | None = None
    progress: Progress = field(default_factory=Silent)

    @cached_property
    def memory(self) -> HashMemory:
        return HashMemory(self.registry.folder / "hashes.db")

    def find(self, reference: str) -> LocalModel:
        """A model by path (contains / or is .), name or hash; a place that holds something else by now is refused."""
        if is_path(reference):
            return self.open(resolved(Path(reference)).name, Path(reference))
        return self.by_hash(self.registry.resolve(reference), reference)

    def knows(self, reference: str) -> bool:
        """Whether a reference from outside a family stands for a model."""
        if is_path(reference):
            return Path(reference).exists()
        try:
            return bool(self.registry.resolve(reference))
        except UsageError:
            return False

    def knows_path(self, place: Path) -> bool:
        """Whether a model is registered as lying there."""
        try:
            return bool(self.registry.resolve(f"{resolved(place)}"))
        except UsageError:
            return False

    def by_hash(self, model_hash: bytes, label: str | None = None) -> LocalModel:
        """A known model where it lies; its content is checked against what is remembered, not read again."""
        name = label or self.registry.label(model_hash)
        present = [path for path in self.registry.locations(model_hash) if path.exists()]
        if not present:
            raise RegistryError(
                f"{name} ({format_hash(model_hash)[:11]}) lies nowhere on this machine; lineal add PATH"
            )
        found = [self.identify(self.open(name, path)) for path in present]
        for local in found:
            if local.model_hash == model_hash:
                return local
        wanted, there = (format_hash(digest)[:11] for digest in (model_hash, found[0].model_hash))
        same = if_another_layout(self.registry.model(model_hash), found[0].record)
        raise RegistryError(f"{name} should be {wanted}, but {present[0]} now holds {there}{same}")

    def open(self, label: str, place: Path) -> LocalModel:
        """Open a folder or file; an adapter's base is looked up in its record."""
        checkpoint = open_checkpoint(place)
        if checkpoint.form != "adapter":
            return LocalModel(label, checkpoint)
        base_hash = _recorded_base(place)
        return LocalModel(label, checkpoint, self._base_of(label, base_hash), base_hash)

    def recall(self, local: LocalModel) -> LocalModel:
        """With hashes, if all of them are remembered."""
        return local if local.hashes else replace(local, hashes=recall_checkpoint(local.checkpoint, self.memory))

    def identify(self, local: LocalModel, known: Mapping[str, bytes] | None = None) -> LocalModel:
        """With hashes, reading what is neither remembered nor `known` (data hashes by tensor name)."""
        recalled = self.recall(local)
        if recalled.hashes:
            return recalled
        checkpoint = local.checkpoint
        unread = sum(spec.byte_length for spec in checkpoint.values() if spec.name not in (known or {}))
        with self.progress.task(f"hashing {local.label}", unread, "bytes") as advance:
            hashes = hash_checkpoint(
                checkpoint, memory=self.memory, threads=self.threads, bytes_read=advance, known=known
            )
        return replace(local, hashes=hashes)

    def remember(self, local: LocalModel) -> None:
        """Remember the hashes of files that were just written, so that they need not be read to be known."""
        hashes = local.hashes
        if hashes is None:
            return
        for path, found in to_remember(local.checkpoint, hashes).items():
            self.memory.remember(path, os.stat(path), found)

    def _base_of(self, label: str, base_hash: bytes | None) -> LocalModel | None:
        """The base an adapter was trained on, where that is known here."""
        if base_hash is None or not self.registry.knows(base_hash):
            return None
        base = self.by_hash(base_hash)
        if base.form == "adapter":
            raise CheckpointError(f"{label}: its base {base.label} is an adapter, not a model in full")
        return base


def known(session: Session, reference: str) -> bytes:
    """The model that a reference stands for; one by its path is hashed, and known from now on, as by `lineal add`."""
    if not is_path(reference):
        return session.registry.resolve(reference)
    local = session.identify(session.find(reference))
    model_hash = register(session, local)
    name_by_path(session, local)
    return model_hash


def name_by_path(session: Session, local: LocalModel) -> None:
    """Call a model that has no name like its folder, as far as nothing else is called so."""
    registry = session.registry
    try:
        name = replace(name_of_folder(local.path), model_hash=local.model_hash)
    except UsageError:  # what the folder is called can be no name
        return
    taken = {str(other) for other in registry.names(name.family)}
    if not registry.names_of(name.model_hash) and str(name) not in taken:
        registry.set_name(name)


def register(session: Session, local: LocalModel) -> bytes:
    """Know a model that was found on disk, where it lies, and the step that its record tells of."""
    local = session.identify(local)
    if local.hashes is None:
        raise LinealError(f"{local.label}: could not be hashed")
    licence = local.hashes.licence.hex() if local.hashes.licence else None
    record = replace(local.record, licence=licence, stated=local.stated_licence)
    model_hash = session.registry.add_model(record, local.path.resolve())
    provenance = read_provenance(local.path)
    if provenance is None or provenance.hashes.manifest.model_hash != model_hash or provenance.gives_its_input:
        return model_hash  # what gives its own input is believed once it was replayed, by `lineal add`
    if model_hash not in session.registry.derived(provenance.step.derivation_id):
        _ = session.registry.record(provenance.told(time.time()))
    return model_hash


def _recorded_base(folder: Path) -> bytes | None:
    """The model hash that an adapter's lineal.json names as what it was trained on."""
    provenance = read_provenance(folder)
    parents = [i.model_hash for i in provenance.step.inputs if i.role in ("parent", "base")] if provenance else []
    return parents[0] if len(parents) == 1 else None
