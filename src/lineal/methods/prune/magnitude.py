"""Magnitude pruning: the smallest weights of each tensor, or of each of its rows, become zero."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final, get_args

import numpy as np

from lineal.errors import MethodError
from lineal.kernels import kernel
from lineal.methods.method import Reproducibility
from lineal.methods.order_statistic import SmallestMagnitudes, gathers
from lineal.methods.streaming import Block, Emit, Gather, Sample, Site, StreamingMethod

Scope: TypeAlias = Literal["tensor", "row"]

_DIGITS = (10, 7, 7, 7)
"""How the 31 bits of a magnitude are taken apart; few bins, so that short rows do not pay for empty ones."""


@final
@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(StreamingMethod):
    """Set the smallest weights of each linear layer to zero.

    sparsity: share of the weights that become zero, in [0, 1): exactly the integer part of sparsity * n of n weights.
        Of equal magnitudes the first go first; weights that are zero already count among the smallest.
    scope: whether the share is of each tensor or of each of its rows, which are a linear layer's outputs.
    """

    kind: ClassVar = "prune"
    name: ClassVar = "magnitude"
    paper: ClassVar = "https://arxiv.org/abs/1506.02626"
    reproducibility: ClassVar = Reproducibility.EXACT

    sparsity: float
    scope: Scope = "tensor"

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise MethodError(f"magnitude: sparsity must be in [0, 1), got {self.sparsity}")
        if self.scope not in get_args(Scope):
            raise MethodError(f"magnitude: scope must be one of {', '.join(get_args(Scope))}, got {self.scope!r}")

    def passes(self, site: Site) -> int:
        return 1 if self.scope == "row" or self.sparsity == 0 else 1 + gathers(site.elements)

    def unit(self, site: Site) -> int:
        return max(1, site.shape[-1]) if self.scope == "row" and site.shape else 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"magnitude: one model is pruned at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        return self._of_rows(site) if self.scope == "row" else self._of_tensor(site)

    def _of_rows(self, site: Site) -> Iterator[Emit]:
        columns = self.unit(site)
        count = int(self.sparsity * columns)

        def emit(block: Block) -> None:
            _zero_smallest_of_rows(_bits(block.models[0]), columns, count, _bits(block.out))

        yield Emit(emit)

    def _of_tensor(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        threshold, ties = np.zeros(1, np.float32), 0
        if self.sparsity > 0:
            smallest = SmallestMagnitudes(np.array([int(self.sparsity * site.elements)]))
            yield from smallest.sweeps(site.elements, lambda block: (block.base, block.models))
            threshold, ties = smallest.thresholds(), int(smallest.shares_of_ties()[0])

        def emit(block: Block) -> None:
            nonlocal ties  # blocks come in index order
            ties = _zero_smallest(_bits(block.models[0]), _bits(threshold)[0], ties, _bits(block.out))

        yield Emit(emit)


def _bits(values: Any) -> Any:
    return values.view(np.uint32)


@kernel
def _zero_smallest(bits: Any, threshold: Any, ties: int, out: Any) -> int:
    """Copy all but what is below the threshold and the first `ties` that equal it; returns the ties that remain."""
    for i in range(bits.size):
        out[i] = bits[i] if (bits[i] & np.uint32(0x7FFFFFFF)) >= threshold else np.uint32(0)
    i = 0
    while ties > 0 and i < bits.size:
        if (bits[i] & np.uint32(0x7FFFFFFF)) == threshold:
            out[i] = 0
            ties -= 1
        i += 1
    return ties


@kernel
def _zero_smallest_of_rows(bits: Any, columns: int, count: int, out: Any) -> None:
    """Set the `count` smallest of each row to zero: a digit of the threshold at a time, among those left."""
    left, counts = np.empty(columns, np.uint32), np.empty(1 << _DIGITS[0], np.int64)
    for start in range(0, bits.size, columns):
        row = bits[start : start + columns]
        for j in range(columns):
            left[j] = row[j] & np.uint32(0x7FFFFFFF)
        size, rank, shift, threshold = columns, count, 31, np.uint32(0)
        for width in _DIGITS:
            shift -= width
            last = (1 << width) - 1
            counts[: last + 1] = 0
            for j in range(size):
                counts[(left[j] >> shift) & last] += 1
            digit = 0
            while counts[digit] < rank:
                rank -= counts[digit]
                digit += 1
            threshold |= np.uint32(digit << shift)
            kept = 0
            for j in range(size):  # without a branch, for none could be predicted
                left[kept] = left[j]
                kept += int(((left[j] >> shift) & last) == digit)
            size = kept
        _zero_smallest(row, threshold, rank, out[start : start + columns])
