"""What rounding cost: the squares of weights and of their errors, the largest error, outliers, and shifted blocks."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Float64s

Float32: TypeAlias = NDArray[np.float32]

GRANULE = 4096
"""Weights whose squares are added pair by pair, then pairs of pairs, in float64; granules follow each other."""

OUTLIER = 6.0
"""A weight is an outlier above so many times the root mean square of its granule."""

_SQUARES, _SQUARED_ERROR, _LARGEST_ERROR, _OUTLIERS, _SHIFTED, _NONFINITE = range(6)
FIGURES = 6
"""Squares of the weights, of the errors, the largest error, outliers, shifted blocks, weights that are no number."""


def add_rounding_error(values: Float32, stored: Float32, block: int, figures: NDArray[np.float64]) -> None:
    """Add what it cost to store values as these to the figures of the weights before them, whole granules.

    block: weights that share a scale, a power of two of at least 32; 1: none do, and no block is shifted. A block is
    shifted where its errors' squares come to more than its weights'. Weights that are not finite, or not as stored,
    are counted, and are nothing else.
    """
    before = figures.copy()
    _add(values, stored, block, figures)
    if not math.isfinite(figures[_SQUARED_ERROR]):
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(values - stored)
        figures[:] = before
        figures[_NONFINITE] += np.count_nonzero(~finite)
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
    squares, errors = np.empty(GRANULE // 4), np.empty(GRANULE // 4)
    squares_left, errors_left = np.empty(GRANULE // 8), np.empty(GRANULE // 8)
    for start in range(0, values.size, GRANULE):
        weights, rounded = values[start : start + GRANULE], stored[start : start + GRANULE]
        _add_fours(weights, rounded, squares, errors)
        left = GRANULE // 4
        while left > 1:
            left //= 2
            _add_pairs(squares[: 2 * left], squares_left[:left])
            _add_pairs(errors[: 2 * left], errors_left[:left])
            squares, squares_left = squares_left, squares
            errors, errors_left = errors_left, errors
            if left * block == GRANULE:
                for i in range(left):
                    figures[_SHIFTED] += errors[i] > squares[i]
        figures[_SQUARES] += squares[0]
        figures[_SQUARED_ERROR] += errors[0]
        figures[_LARGEST_ERROR] = max(figures[_LARGEST_ERROR], _largest_error(weights, rounded))
        limit = OUTLIER * math.sqrt(squares[0] / count)
        if _largest(weights) > limit:
            for i in range(GRANULE):
                figures[_OUTLIERS] += abs(weights[i]) > limit


@kernel
def _add_fours(values: Float32s, stored: Float32s, squares: Float64s, errors: Float64s) -> None:
    """The squares of each four weights, and of their errors, which float64 holds exactly; pairs first."""
    for i in range(squares.size):
        a, b, c, d = values[4 * i], values[4 * i + 1], values[4 * i + 2], values[4 * i + 3]
        w, x, y, z = np.float64(a), np.float64(b), np.float64(c), np.float64(d)
        squares[i] = (w * w + x * x) + (y * y + z * z)
        w, x = np.float64(np.float32(a - stored[4 * i])), np.float64(np.float32(b - stored[4 * i + 1]))
        y, z = np.float64(np.float32(c - stored[4 * i + 2])), np.float64(np.float32(d - stored[4 * i + 3]))
        errors[i] = (w * w + x * x) + (y * y + z * z)


@kernel
def _add_pairs(numbers: Float64s, sums: Float64s) -> None:
    for i in range(sums.size):
        sums[i] = numbers[2 * i] + numbers[2 * i + 1]


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
