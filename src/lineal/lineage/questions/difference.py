"""How two models differ by their hashes alone: no weight is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE, Value
from lineal.checkpoint.names.tensor_names import BLOCK, is_derived_buffer
from lineal.lineage.questions.layouts import in_both_layouts
from lineal.lineage.registry import Registry


@final
class Change(Enum):
    SAME = "same"
    CHANGED = "changed"
    """Other bytes in the same dtype and shape."""
    RETYPED = "retyped"
    """Another dtype or shape."""
    ADDED = "added"
    REMOVED = "removed"


@final
@dataclass(frozen=True)
class TensorChange:
    """One name in either model; block: the number of the one it belongs to, None outside of all."""

    name: str
    change: Change
    before: Leaf | None
    after: Leaf | None

    @property
    def block(self) -> int | None:
        match = BLOCK.fullmatch(self.name)
        return int(match["number"]) if match else None

    @property
    def role(self) -> str:
        """The name inside its block, where it is in one, without what every weight's ends in."""
        match = BLOCK.fullmatch(self.name)
        return (match["after"].removeprefix(".") if match else self.name).removesuffix(".weight")


@final
@dataclass(frozen=True)
class Difference:
    """tensors: of both, by name; package: path -> how a file of config or tokenizer changed, where it did.

    another_layout: the weights are the same, stored otherwise.
    """

    same_weights: bool
    another_layout: bool
    tensors: tuple[TensorChange, ...]
    package: Mapping[str, Change]

    @property
    def is_empty(self) -> bool:
        return self.same_weights and not self.package

    def of(self, change: Change) -> tuple[TensorChange, ...]:
        return tuple(tensor for tensor in self.tensors if tensor.change is change)


def difference(registry: Registry, before: bytes, after: bytes) -> Difference:
    """From one model to the other; what follows from a config, and is stored by old checkpoints alone, is left out.

    The tensors are those that their architecture is published with, where that is known of both models.
    """
    known = [in_both_layouts(registry, model) for model in (before, after)]
    old, new = (made_of for made_of, _ in known)
    stored = [_by_name(made_of.leaves) for made_of in (old, new)]
    public = [_by_name(leaves) for _, leaves in known if leaves is not None]
    theirs, ours = public if len(public) == len(stored) else stored
    match [registry.model(model).form for model in (before, after)]:
        case ["gguf", "full"]:
            theirs = _under_names_of(ours, theirs, old.package)
        case ["full", "gguf"]:
            ours = _under_names_of(theirs, ours, new.package)
        case _:
            pass
    tensors = tuple(
        TensorChange(name, _change(theirs.get(name), ours.get(name)), theirs.get(name), ours.get(name))
        for name in sorted(theirs.keys() | ours.keys())
    )
    package = {
        path: _file_change(old.package.get(path), new.package.get(path)) for path in {**old.package, **new.package}
    }
    changed = {path: change for path, change in sorted(package.items()) if change is not Change.SAME}
    same = all(tensor.change is Change.SAME for tensor in tensors)
    another_layout = same and len(public) == len(stored) and stored[0] != stored[1]
    return Difference(same, another_layout, tensors, changed)


def weights(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Tensors without buffers that are computed anew when the model is built."""
    return [leaf for leaf in leaves if not is_derived_buffer(leaf.name, leaf.shape)]


def _by_name(leaves: Iterable[Leaf]) -> dict[str, Leaf]:
    return {leaf.name: leaf for leaf in weights(leaves)}


def _under_names_of(
    full: Mapping[str, Leaf], gguf: Mapping[str, Leaf], package: Mapping[str, bytes]
) -> Mapping[str, Leaf]:
    """A GGUF's tensors under the names that they have in a folder, as far as its architecture says them.

    package: the GGUF's, which holds no architecture but its hash.
    """
    from gguf import MODEL_ARCH_NAMES, GGUFValueType, get_tensor_name_map  # noqa: PLC0415 - loads numpy

    told = package.get(ARCHITECTURE)
    named_so = (
        arch for arch, name in MODEL_ARCH_NAMES.items() if Value(GGUFValueType.STRING, name).content_hash == told
    )
    architecture = next(named_so, None)
    if architecture is None:
        return gguf
    blocks = 1 + max((int(match["number"]) for match in map(BLOCK.fullmatch, full) if match), default=0)
    table = get_tensor_name_map(architecture, blocks)
    named = {table.get_name(name, try_suffixes=(".weight", ".bias")): name for name in full}
    return {named.get(name, name): leaf for name, leaf in gguf.items()}


def _change(before: Leaf | None, after: Leaf | None) -> Change:
    if before is None or after is None:
        return Change.ADDED if before is None else Change.REMOVED
    if (before.dtype, before.shape) != (after.dtype, after.shape):
        return Change.RETYPED
    return Change.SAME if before.data_hash == after.data_hash else Change.CHANGED


def _file_change(before: bytes | None, after: bytes | None) -> Change:
    if before is None or after is None:
        return Change.ADDED if before is None else Change.REMOVED
    return Change.SAME if before == after else Change.CHANGED
