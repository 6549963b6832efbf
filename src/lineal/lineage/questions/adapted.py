"""What an adapter leaves as it is: the base's matrices that have no update, by their names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from lineal.checkpoint.content.identity import Leaf, Manifest

_PREFIX, _UPDATE, _NESTED = "base_model.model.", ".lora_", ".base_layer"
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_OF_EXPERTS = re.compile(r"(?P<block>.+)\.[^.]+\.experts(?:\..+)?")
"""A mixture in a block, whatever it is called: as published it has another name than in memory, which PEFT goes by.
PEFT wraps a module once for each of its parameters that is adapted."""


def not_adapted(adapter: Manifest, base: Manifest) -> tuple[str, ...]:
    """Names with a * for each number, and how many matrices they stand for: `model.layers.*.mlp.gate (24)`."""
    updates = _updates(adapter)
    experts: dict[str, list[tuple[int, ...]]] = {}
    for module, sizes in updates.items():
        bare = module.replace(_NESTED, "")
        if bare.endswith(".experts") and (found := _OF_EXPERTS.fullmatch(bare)):
            experts.setdefault(found["block"], []).append(sizes)
    matrices = [leaf for leaf in base.leaves if len(leaf.shape) > 1]
    left = Counter(
        _NUMBER.sub("*", leaf.name.removesuffix(".weight"))
        for leaf in matrices
        if leaf.name.removesuffix(".weight") not in updates and not _is_among(leaf, experts)
    )
    return tuple(f"{name} ({count})" if count > 1 else name for name, count in left.items())


def _updates(adapter: Manifest) -> Mapping[str, tuple[int, ...]]:
    """Each module that is adapted, and how wide what goes into A and what comes out of B is."""
    found: dict[str, tuple[int, ...]] = {}
    for leaf in sorted(adapter.leaves, key=lambda leaf: leaf.name):
        module, _, side = leaf.name.removeprefix(_PREFIX).rpartition(_UPDATE)
        found[module] = found.get(module, ()) + (leaf.shape[-1:] if side.startswith("A") else leaf.shape[:1])
    return found


def _is_among(leaf: Leaf, experts: Mapping[str, Sequence[tuple[int, ...]]]) -> bool:
    """Whether a matrix is of adapted experts, all or one; where one parameter alone is adapted, its sizes tell."""
    found = _OF_EXPERTS.fullmatch(leaf.name)
    updates = experts.get(found["block"], ()) if found else ()
    rows, columns = leaf.shape[-2:]
    return len(updates) > 1 or any(sizes in ((columns, rows), (columns, 2 * rows)) for sizes in updates)
