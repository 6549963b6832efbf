"""An importance matrix: for each tensor the squares of what its columns were multiplied by, summed over a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import CheckpointError
from lineal.shown import quoted


@final
@dataclass(frozen=True, eq=False)
class Importance:
    """Of one tensor. sums: of squared inputs, float32 [experts, columns]; counts: of inputs, [experts], whole numbers.

    A tensor that is not stacked has one expert.
    """

    sums: NDArray[np.float32]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.sums.ndim != 2 or not self.sums.size or self.counts.shape != self.sums.shape[:1]:
            shapes = f"{list(self.sums.shape)} and {list(self.counts.shape)}"
            raise CheckpointError(f"sums [experts, columns] and counts [experts] are needed, got {shapes}")
        if not np.isfinite(self.sums).all() or (self.sums < 0).any():
            raise CheckpointError("a sum of squares is neither negative nor infinite")
        if (self.counts < 0).any():
            raise CheckpointError(f"a count is not negative, got {self.counts.min()}")

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """Of the squared inputs, [experts, columns], rounded to float32 as llama.cpp rounds it; 1 of what had none."""
        counts = self.counts.astype(np.float32)[:, None]
        return np.where(counts > 0, self.sums / np.maximum(counts, np.float32(1)), np.float32(1)).astype(np.float32)


@final
@dataclass(frozen=True, eq=False)
class ImportanceMatrix:
    """What was measured, by GGUF tensor name, and on which texts: so many chunks of so many tokens."""

    entries: Mapping[str, Importance]
    datasets: tuple[str, ...] = ()
    chunks: int = 0
    chunk_size: int = 0
    file: str = field(default="", kw_only=True)

    def of(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """Weights for the columns of a tensor of this shape, [experts, columns]; None where nothing was measured."""
        entry = self.entries.get(name)
        if entry is None or (name in _LOOSE and entry.sums.size != _columns(shape)):
            return None
        return entry.mean.reshape(-1, shape[-1])

    def faults(self, tensors: Mapping[str, tuple[int, ...]]) -> list[str]:
        """What speaks against its being of a model with these tensors: one that measured nothing here is another's."""
        if not self.entries.keys() & tensors.keys():
            here, there = next(iter(self.entries), ""), next((name for name in tensors if "weight" in name), "")
            return [f"none of its {len(self.entries)} tensors is one of the model's ({quoted(here)}, {quoted(there)})"]
        return [
            f"{quoted(name)} has {entry.sums.size} columns, the model's {_columns(tensors[name])}"
            for name, entry in self.entries.items()
            if name in tensors and name not in _LOOSE and entry.sums.size != _columns(tensors[name])
        ]


_LOOSE = frozenset({"token_embd.weight", "per_layer_token_embd.weight"})
"""Rows are looked up here, not multiplied: where the columns are others than the model's, llama.cpp rounds without."""


def _columns(shape: tuple[int, ...]) -> int:
    """Of all experts together."""
    return shape[-1] * (shape[0] if len(shape) == 3 else 1)
