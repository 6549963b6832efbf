"""The hashes of published tensors that are not stored as they are: parts of what is, or in another order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.content.identity import Leaf, Manifest
from lineal.checkpoint.content.stretches import Parts
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.known import layouts_of
from lineal.checkpoint.layouts.views import View, seen
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError

_PART = "\x00"
"""Before the name of what is no stored tensor, where hashes of both are remembered together."""


@final
@dataclass(frozen=True)
class Digests:
    """By name: of stored tensors, and of published ones that are not stored as they are."""

    tensors: dict[str, bytes]
    parts: dict[str, bytes]

    def take(self, other: "Digests") -> None:
        self.tensors.update(other.tensors)
        self.parts.update(other.parts)

    @property
    def to_remember(self) -> Mapping[str, bytes]:
        return {**self.tensors, **{_PART + name: digest for name, digest in self.parts.items()}}


@final
class Published:
    """A checkpoint's tensors as its architecture is published, where that is known.

    What is in no one layout has none here: it is refused where it would be made something of, not where it is hashed.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._views = _views(checkpoint)
        parts: dict[str, list[View]] = {}
        self._is_stored_so = True
        for name, view in (self._views or {}).items():
            if view.spec is checkpoint.specs[name if name in checkpoint.specs else view.whole]:
                continue
            self._is_stored_so = False
            if view.turn is not None or view.spec.byte_length != checkpoint[view.whole].byte_length:
                parts.setdefault(view.whole, []).append(view)
        self.parts: Parts = parts

    def knows(self, spec: TensorSpec, hashes: Digests) -> bool:
        """Whether the hashes of a stored tensor, and of all that it is made of, are there."""
        views = self.parts.get(spec.name, ())
        return spec.name in hashes.tensors and all(view.spec.name in hashes.parts for view in views)

    def recalled(self, remembered: Mapping[str, bytes], specs: Iterable[TensorSpec]) -> Digests | None:
        """What is remembered of a file with these tensors; None if anything is missing."""
        tensors = {name: digest for name, digest in remembered.items() if not name.startswith(_PART)}
        parts = {name[1:]: digest for name, digest in remembered.items() if name.startswith(_PART)}
        found = Digests(tensors, parts)
        return found if all(self.knows(spec, found) for spec in specs) else None

    def leaves(self, manifest: Manifest, hashes: Digests) -> tuple[Leaf, ...] | None:
        """The leaves of the published tensors, sorted by name; the manifest's own where they are stored so."""
        if self._views is None:
            return None
        if self._is_stored_so:
            return manifest.leaves
        found: list[Leaf] = []
        for name, view in self._views.items():
            digest = hashes.parts[name] if view.whole in self.parts else hashes.tensors[view.whole]
            found.append(Leaf(name, view.spec.dtype, view.spec.shape, view.spec.byte_length, digest))
        return tuple(sorted(found, key=lambda leaf: leaf.name.encode()))


def layout_faults(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Why a model whose architecture's layouts are known is in none of them; nothing where it is, or they are not."""
    try:
        _ = seen(checkpoint.specs, checkpoint.config, checkpoint.folder.name) if _may_be(checkpoint) else None
    except CheckpointError as error:
        return (str(error),)
    return ()


def _views(checkpoint: Checkpoint) -> Mapping[str, View] | None:
    """By published name; none of one that has no other layout; None where none is known, or it is in several."""
    try:
        if not _may_be(checkpoint) or (layouts := layouts_of(checkpoint.config)) is None:
            return None
        found = seen(checkpoint.specs, checkpoint.config, checkpoint.folder.name) if layouts else None
    except CheckpointError:
        return None
    return {} if found is None else found.views


def _may_be(checkpoint: Checkpoint) -> bool:
    """Whether a layout is a question: an adapter has none, and a GGUF names its tensors itself."""
    return checkpoint.form == "full" and (checkpoint.folder / "config.json").is_file()
