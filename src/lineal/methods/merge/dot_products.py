"""Dot products of models, or of their task vectors: all that the geometry of a merge needs to know of them."""

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Float64Rows, Float64s
from lineal.methods.streaming import GRANULE, Block, Gather, Site

_LANES = 16
_STRIDE = 4 * _LANES


def dot_products(site: Site) -> tuple[Gather, NDArray[np.float64]]:
    """A sweep, and the [models, models] matrix that it fills; with a base the products are those of task vectors."""
    products, wide = np.zeros((site.models, site.models)), np.empty((site.models, GRANULE))

    def gather(block: Block) -> None:
        add_dot_products(block.base, block.models, 0, block.out.size, wide, products)

    return Gather(gather), products


@kernel
def add_dot_products(
    base: Float32s, models: Float32Rows, first: int, last: int, wide: Float64Rows, products: Float64Rows
) -> None:
    """Add the products of elements `first` up to `last`, granule by granule in index order.

    wide: room for a granule of each model, float64 [models, GRANULE].
    """
    lanes = np.empty(_LANES)
    for start in range(first, last, GRANULE):
        count = min(GRANULE, last - start)
        origin = base[start : start + count]
        for m in range(len(models)):
            row, model = wide[m], models[m, start : start + count]
            for i in range(count):
                row[i] = np.float64(model[i]) - (np.float64(origin[i]) if base.size else 0.0)
        for i in range(len(models)):
            for j in range(i + 1):
                products[i, j] += _dot(wide[i, :count], wide[j, :count], lanes)
                products[j, i] = products[i, j]


@kernel
def _dot(a: Float64s, b: Float64s, lanes: Float64s) -> float:
    """Sum in 16 interleaved lanes, then the lanes in order: one fixed tree. What fills no group goes to lane 0."""
    lanes[:] = 0
    grouped, strides = a.size - a.size % _LANES, a.size - a.size % _STRIDE
    for start in range(0, strides, _STRIDE):
        for lane in range(_LANES):  # four groups at once: a lane is loaded and stored a quarter as often
            i = start + lane
            total = lanes[lane] + a[i] * b[i]
            total += a[i + _LANES] * b[i + _LANES]
            total += a[i + 2 * _LANES] * b[i + 2 * _LANES]
            lanes[lane] = total + a[i + 3 * _LANES] * b[i + 3 * _LANES]
    for i in range(strides, a.size):
        lanes[i % _LANES if i < grouped else 0] += a[i] * b[i]
    total = 0.0
    for lane in range(_LANES):
        total += lanes[lane]
    return total
