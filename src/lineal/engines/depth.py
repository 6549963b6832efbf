"""A model with fewer blocks: which tensors stay, under which names, and what its configuration says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lineal.errors import MethodError

_BLOCK = re.compile(r"(?P<before>(?:.+\.)?(?:layers|h|blocks)\.)(?P<number>\d+)(?P<after>\..+)")
"""How transformers names what belongs to a block; the first number in a name is the block's."""


def block_count(config: Mapping[str, Any], model: str) -> int:
    """How many blocks a model of this configuration has."""
    blocks = config.get("num_hidden_layers")
    if not isinstance(blocks, int) or blocks < 1:
        raise MethodError(f"{model}: num_hidden_layers is {blocks!r} in its configuration; layers cannot be told apart")
    return blocks


def shallower_names(names: Iterable[str], kept: Sequence[int], model: str) -> dict[str, str]:
    """Name in the parent -> name in the child, of the tensors outside blocks and of the blocks kept, in order."""
    places = {block: place for place, block in enumerate(kept)}
    found: set[int] = set()
    renamed: dict[str, str] = {}
    for name in names:
        match = _BLOCK.fullmatch(name)
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
    blocks = block_count(config, model)
    lists = {
        key: [value[block] for block in kept]
        for key, value in config.items()
        if "layer" in key and isinstance(value, list) and len(value) == blocks
    }
    return {**config, **lists, "num_hidden_layers": len(kept)}
