"""What an adapter leaves as it is: the base's matrices that have no update, by their names."""

import re
from collections import Counter

from lineal.checkpoint.content.identity import Manifest

_PREFIX, _UPDATE = "base_model.model.", ".lora_"
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def not_adapted(adapter: Manifest, base: Manifest) -> tuple[str, ...]:
    """Names with a * for each number, and how many matrices they stand for: `model.layers.*.mlp.gate (24)`."""
    adapted = {leaf.name.removeprefix(_PREFIX).rpartition(_UPDATE)[0] for leaf in adapter.leaves}
    matrices = [leaf.name.removesuffix(".weight") for leaf in base.leaves if len(leaf.shape) > 1]
    left = Counter(_NUMBER.sub("*", name) for name in matrices if name not in adapted)
    return tuple(f"{name} ({count})" if count > 1 else name for name, count in left.items())
