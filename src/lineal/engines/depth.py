"""The stack of blocks of a model: which tensors belong to which block, and what its configuration says of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from lineal.checkpoint.tensor_names import BLOCK
from lineal.errors import MethodError

_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
"""How configurations call the number of blocks."""

Taken: TypeAlias = tuple[Mapping[str, Any], Sequence[int]]
"""A configuration, and the blocks that are taken from its model, in order."""


def block_count(config: Mapping[str, Any], model: str) -> int:
    """How many blocks a model of this configuration has."""
    key = _count_key(config)
    blocks = config.get(key)
    if not isinstance(blocks, int) or blocks < 1:
        raise MethodError(f"{model}: {key} is {blocks!r} in its configuration; layers cannot be told apart")
    return blocks


def shallower_names(names: Iterable[str], kept: Sequence[int], model: str) -> dict[str, str]:
    """Name in the parent -> name in the child, of the tensors outside blocks and of the blocks kept, in order."""
    places = {block: place for place, block in enumerate(kept)}
    found: set[int] = set()
    renamed: dict[str, str] = {}
    for name in names:
        match = BLOCK.fullmatch(name)
        if match is None:
            renamed[name] = name
            continue
        found.add(int(match["number"]))
        if int(match["number"]) in places:
            renamed[name] = f"{match['before']}{places[int(match['number'])]}{match['after']}"
    missing = [block for block in kept if block not in found]
    if missing:
        raise MethodError(f"{model}: no tensors of the block {missing[0]}; its layers cannot be cut")
    return renamed


def shallower_config(config: Mapping[str, Any], kept: Sequence[int], model: str) -> dict[str, Any]:
    """The configuration with the blocks kept, and every list that has an entry a block."""
    return stacked_config(config, [(config, kept)], model)


def stacked_config(config: Mapping[str, Any], taken: Sequence[Taken], model: str) -> dict[str, Any]:
    """The configuration of a model made of these blocks, one after the other.

    A list that has an entry for each block takes them from the configurations that the blocks come from.
    """
    blocks = block_count(config, model)
    lists: dict[str, list[Any]] = {}
    for key, value in config.items():
        if "layer" in key and isinstance(value, list) and len(value) == blocks:
            lists[key] = [_entry(source, key, block, model) for source, kept in taken for block in kept]
    return {**config, **lists, _count_key(config): sum(len(kept) for _, kept in taken)}


def _count_key(config: Mapping[str, Any]) -> str:
    return next((key for key in _COUNTS if key in config), _COUNTS[0])


def _entry(config: Mapping[str, Any], key: str, block: int, model: str) -> Any:
    entries = config.get(key)
    if not isinstance(entries, list) or block >= len(entries):
        raise MethodError(f"{model}: {key} has an entry for each block in one configuration and not in another")
    return entries[block]
