"""What rounding cost: the squares of weights and of their errors, the largest error, outliers, and shifted blocks."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Float64s

Float32: TypeAlias = NDArray[np.float32]

GRANULE = 4096
"""Weights whose squares are added as one tree, in float64; the sums of granules are added in their order."""

OUTLIER = 6.0
"""A weight is an outlier above so many times the root mean square of its granule."""

_SQUARES_HELD = GRANULE // 4
SQUARES, SQUARED_ERROR, LARGEST_ERROR, OUTLIERS, SHIFTED, NONFINITE = range(6)
FIGURES = 6
"""Squares of the weights, of the errors, the largest error, outliers, shifted blocks, weights that are no number."""


def add_rounding_error(values: Float32, stored: Float32, block: int, figures: NDArray[np.float64]) -> None:
    """Add what it cost to store values as these to the figures of the weights before them, whole granules.

    block: weights that share a scale, a power of two of at least 32; 1: none do, and no block is shifted. A block is
    shifted where its errors' squares come to as much as its weights', or more: also one of which only zeros are left.
    Weights that are not finite, or not as stored,
    are counted, and are nothing else.
    """
    before = figures.copy()
    _add(values, stored, block, figures)
    if not math.isfinite(figures[SQUARED_ERROR]):
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(values - stored)
        figures[:] = before
        figures[NONFINITE] += np.count_nonzero(~finite)
        _add(np.where(finite, values, 0), np.where(finite, stored, 0), block, figures)


def _add(values: Float32, stored: Float32, block: int, figures: NDArray[np.float64]) -> None:
    whole = values.size - values.size % GRANULE
    _measure(values[:whole], stored[:whole], GRANULE, block, figures)
    if whole < values.size:
        last = np.zeros((2, GRANULE), np.float32)
        last[0, : values.size - whole], last[1, : values.size - whole] = values[whole:], stored[whole:]
        _measure(last[0], last[1], values.size - whole, block, figures)


@kernel
def _measure(values: Float32s, stored: Float32s, count: int, block: int, figures: Float64s) -> None:
    """Add the figures of whole granules; count: weights of each that are not filled up with zeros."""
    squares, errors = np.empty(_SQUARES_HELD), np.empty(_SQUARES_HELD)
    sums, error_sums = np.empty(_SQUARES_HELD), np.empty(_SQUARES_HELD)
    blocks = GRANULE // block
    for start in range(0, values.size, GRANULE):
        weights, rounded = values[start : start + GRANULE], stored[start : start + GRANULE]
        _add_squares(weights, rounded, squares, errors)
        _add_up(squares, sums)
        _add_up(errors, error_sums)
        if blocks < GRANULE:
            figures[SHIFTED] += _count_lost(error_sums[blocks : 2 * blocks], sums[blocks : 2 * blocks])
        figures[SQUARES] += sums[1]
        figures[SQUARED_ERROR] += error_sums[1]
        figures[LARGEST_ERROR] = max(figures[LARGEST_ERROR], _largest_error(weights, rounded))
        limit = OUTLIER * math.sqrt(sums[1] / count)
        if _largest(weights) > limit:
            for i in range(GRANULE):
                figures[OUTLIERS] += abs(weights[i]) > limit


@kernel
def _add_squares(values: Float32s, stored: Float32s, squares: Float64s, errors: Float64s) -> None:
    """The squares of weights, and of their errors, which float64 holds exactly: of four that are eight apart.

    A loop of a fixed length would be unrolled, and then work on one weight at a time: this one asks an array for it.
    """
    for r in range(squares.size // 8):
        row, rounded = values[32 * r : 32 * r + 32], stored[32 * r : 32 * r + 32]
        sums, error_sums = squares[8 * r : 8 * r + 8], errors[8 * r : 8 * r + 8]
        for i in range(sums.size):
            a, b, c, d = row[i], row[i + 8], row[i + 16], row[i + 24]
            w, x, y, z = np.float64(a), np.float64(b), np.float64(c), np.float64(d)
            sums[i] = (w * w + x * x) + (y * y + z * z)
            w, x = np.float64(np.float32(a - rounded[i])), np.float64(np.float32(b - rounded[i + 8]))
            y, z = np.float64(np.float32(c - rounded[i + 16])), np.float64(np.float32(d - rounded[i + 24]))
            error_sums[i] = (w * w + x * x) + (y * y + z * z)


@kernel
def _add_up(numbers: Float64s, sums: Float64s) -> None:
    """Pairs, pairs of pairs and so on: 2**k sums stand from 2**k on, the one of all at 1."""
    _add_pairs(numbers, sums[numbers.size // 2 :])
    left = numbers.size // 2
    while left > 1:
        _add_pairs(sums[left : 2 * left], sums[left // 2 : left])
        left //= 2


@kernel
def _add_pairs(numbers: Float64s, sums: Float64s) -> None:
    for i in range(sums.size):
        sums[i] = numbers[2 * i] + numbers[2 * i + 1]


@kernel
def _count_lost(errors: Float64s, squares: Float64s) -> int:
    """A block of zeros has nothing to lose."""
    lost = 0
    for i in range(errors.size):
        lost += errors[i] >= squares[i] and errors[i] > 0
    return lost


@kernel
def _largest(values: Float32s) -> np.float32:
    """The largest magnitude."""
    largest = np.uint32(0)
    for i in range(values.size):
        largest = max(largest, np.uint32(np.float32(values[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)))
    return np.uint32(largest).view(np.float32)


@kernel
def _largest_error(values: Float32s, stored: Float32s) -> np.float32:
    largest = np.uint32(0)
    for i in range(values.size):
        error = np.float32(values[i] - stored[i])
        largest = max(largest, np.uint32(error.view(np.uint32) & np.uint32(0x7FFFFFFF)))
    return np.uint32(largest).view(np.float32)
