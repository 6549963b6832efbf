"""Adapter merge: the base with a LoRA adapter's update added, W + scale * B @ A."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import KEEP, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class AdapterMerge(StreamingMethod):
    """Make an adapter part of its base. The one parent is the adapter, already seen as full weights on its base."""

    kind: ClassVar = "merge"
    name: ClassVar = "adapter"
    paper: ClassVar = "https://arxiv.org/abs/2106.09685"
    reproducibility: ClassVar = Reproducibility.EXACT
    elementwise: ClassVar = True

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"adapter: one adapter is made part of its base at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        yield KEEP


@kernel
def add_low_rank(values: Float32s, start: int, scaled_b: Float32Rows, a: Float32Rows) -> None:
    """Add scaled_B @ A to the elements from `start` of a row-major [out, in] matrix, in place.

    scaled_b: scale * B, float32 [out, rank]; a: float32 [rank, in]; values: [n]. The products of one element are
    summed in the order of the rank, then added to the weight: the same bits for any stretch of elements.
    """
    columns = a.shape[1]
    sums = np.empty(columns, np.float32)
    done = 0
    while done < values.size:
        row, first = (start + done) // columns, (start + done) % columns
        count = min(columns - first, values.size - done)
        for j in range(count):
            sums[j] = scaled_b[row, 0] * a[0, first + j]
        for k in range(1, a.shape[0]):
            for j in range(count):
                sums[j] += scaled_b[row, k] * a[k, first + j]
        for j in range(count):
            values[done + j] += sums[j]
        done += count
