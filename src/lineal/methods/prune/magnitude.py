"""Magnitude pruning: the smallest weights of each tensor, or of each of its rows, become zero."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final, get_args

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Uint32s
from lineal.methods.method import Reproducibility
from lineal.methods.selection.entries import CutPair, all_but_the_smallest, begin, count_of, everything, selected
from lineal.methods.selection.order_statistic import SmallestMagnitudes, gathers
from lineal.methods.streaming import Block, Emit, Gather, Sample, Site, StreamingMethod
from lineal.shown import quoted

Scope: TypeAlias = Literal["tensor", "row"]

_DIGITS = (10, 7, 7, 7)
"""How the 31 bits of a magnitude are taken apart; few bins, so that short rows do not pay for empty ones."""


@final
@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(StreamingMethod):
    """Set the smallest weights of each linear layer to zero.

    Exactly floor(sparsity * n) of n weights become zero. Of those that tie at the threshold some are kept, spread
    evenly over the tensor or row; weights that are zero already count among the smallest.

    sparsity: share of the weights that become zero, in [0, 1).
    scope: whether the share is of each tensor or of each of its rows, which are a linear layer's outputs.
    """

    kind: ClassVar = "prune"
    name: ClassVar = "magnitude"
    version: ClassVar = 2
    paper: ClassVar = "https://arxiv.org/abs/1506.02626"
    reproducibility: ClassVar = Reproducibility.EXACT

    sparsity: float
    scope: Scope = "tensor"

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise MethodError(f"magnitude: sparsity must be in [0, 1), got {self.sparsity}")
        if self.scope not in get_args(Scope):
            raise MethodError(f"magnitude: scope must be one of {', '.join(get_args(Scope))}, got {quoted(self.scope)}")

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
        count = count_of(self.sparsity, columns)

        def emit(block: Block) -> None:
            _zero_smallest_of_rows(_bits(block.models[0]), columns, count, everything(1)[0], _bits(block.out))

        yield Emit(emit)

    def _of_tensor(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        cuts = everything(1)
        if self.sparsity > 0:
            smallest = SmallestMagnitudes(np.array([count_of(self.sparsity, site.elements)]))
            yield from smallest.sweeps(site.elements, lambda block: (block.base, block.models))
            cuts = all_but_the_smallest(smallest)

        def emit(block: Block) -> None:
            selected(_bits(block.models[0]), cuts[0], _bits(block.out))

        yield Emit(emit)


def _bits(values: Any) -> Any:
    return values.view(np.uint32)


@kernel
def _zero_smallest_of_rows(bits: Uint32s, columns: int, count: int, pair: CutPair, out: Uint32s) -> None:
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
        begin(pair, threshold, size, rank)
        selected(row, pair, out[start : start + columns])
