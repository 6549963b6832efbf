"""The weights of a base by the names that they have in memory, which are those that PEFT's adapters name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, final

from lineal.checkpoint.adapter.part import Part
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.known import layouts_of
from lineal.checkpoint.layouts.storing import StoredTensor, stored_as

OF_EXPERTS = ("gate_up_proj", "up_proj", "down_proj")
"""The parameters of a module of experts, in the order in which transformers registers them."""


@final
@dataclass(frozen=True)
class Weight:
    """A weight in memory: parts: the published tensors whose elements follow each other in it.

    reordered: its elements are published in another order than they have in memory.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    parts: tuple[TensorSpec, ...]
    reordered: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is one matrix, published by itself."""
        return len(self.shape) == 2 and len(self.parts) == 1

    def split(self, turned: bool) -> Iterator[tuple[str, Part]]:
        """What matrices on it are to each of the published tensors."""
        experts, height = (1, self.shape[0]) if len(self.shape) == 2 else self.shape[:2]
        start = 0
        for spec in self.parts:
            rows = spec.elements // self.shape[-1]
            first, low = divmod(start, height)
            chosen, own = range(first, first + max(1, rows // height)), range(low, min(height, low + rows))
            yield spec.name, Part(experts, chosen, own, turned)
            start += rows


@final
class InMemory:
    """A base by names in memory, where its architecture is known; else by the names of what is stored."""

    def __init__(self, base: Mapping[str, TensorSpec], config: Mapping[str, Any], label: str) -> None:
        """base: by published name. label: the base, for errors."""
        self._base, self._config, self._label = base, config, label
        self._layouts = layouts_of(config)

    @property
    def is_known(self) -> bool:
        """Whether what parameters of experts are in memory is known."""
        return self._layouts is not None

    @property
    def model_type(self) -> object:
        return self._config.get("model_type")

    def weight(self, name: str) -> Weight | None:
        """The weight of this name in memory, or published under it."""
        spec = self._base.get(name)
        changes = spec is None or any(layout.stored(name) for layout in self._layouts or ())
        found = self._converted.get(name) if changes else None
        if found is None:
            return None if spec is None else Weight(name, spec.dtype, spec.shape, (spec,))
        parts = tuple(self._base[part] for part in found.parts)
        return Weight(name, found.dtype, found.shape, parts, found.turn is not None)

    def parameters(self, module: str) -> Sequence[str]:
        """The names of a module's own parameters; those of experts come last, in their order."""
        return self._modules.get(module, ())

    @cached_property
    def _converted(self) -> Mapping[str, StoredTensor]:
        """What is another tensor in memory than published, in any mixture of the known layouts."""
        known = self._layouts or ()
        mixtures = (one for count in range(1, len(known) + 1) for one in combinations(known, count))
        found: dict[str, StoredTensor] = {}
        for layouts in mixtures:
            for tensor in stored_as(self._base.values(), layouts, self._config, self._label):
                if tensor.parts != (tensor.name,) or tensor.turn is not None:
                    found.setdefault(tensor.name, tensor)
        return found

    @cached_property
    def _modules(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys([*self._base, *self._converted]):
            module, _, word = name.rpartition(".")
            found.setdefault(module, []).append(word)
        order = {word: place for place, word in enumerate(OF_EXPERTS)}
        return {module: sorted(words, key=lambda word: order.get(word, -1)) for module, words in found.items()}
