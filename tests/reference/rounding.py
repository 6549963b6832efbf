"""What rounding cost, in numpy's float64: the squares of 4,096 weights at a time are added as one tree."""

import numpy as np

from lineal.lineage.records.rounding import Rounding
from tests.builders import Array


def rounding(values: Array, stored: Array, block: int) -> Rounding:
    """block: weights that share a scale; 1: none do."""
    found = [0.0, 0.0, 0.0, 0, 0, 0]
    for start in range(0, values.size, 4096):
        weights, rounded = values[start : start + 4096], stored[start : start + 4096]
        finite = np.isfinite(weights) & np.isfinite(rounded)
        weights, rounded = np.where(finite, weights, 0), np.where(finite, rounded, 0)
        errors = (weights - rounded).astype(np.float32)
        squares, squared_errors = _levels(weights), _levels(errors)
        found[0] += float(squares[1][0])
        found[1] += float(squared_errors[1][0])
        found[2] = max(found[2], float(abs(errors).max()))
        found[3] += int((abs(weights.astype(np.float64)) > 6 * np.sqrt(squares[1][0] / weights.size)).sum())
        if block > 1:
            lost = squared_errors[4096 // block]
            found[4] += int(((lost >= squares[4096 // block]) & (lost > 0)).sum())
        found[5] += int((~finite).sum())
    return Rounding(*found)  # pyright: ignore[reportArgumentType]


def _levels(numbers: Array) -> dict[int, Array]:
    """The sums of squares of so many equal stretches of 4,096, by their number."""
    squares = np.zeros(4096)
    squares[: numbers.size] = numbers.astype(np.float64) ** 2
    a, b, c, d = squares.reshape(-1, 4, 8).transpose(1, 0, 2)
    sums = ((a + b) + (c + d)).reshape(-1)
    levels: dict[int, Array] = {}
    while sums.size > 1:
        sums = sums[::2] + sums[1::2]
        levels[sums.size] = sums
    return levels
