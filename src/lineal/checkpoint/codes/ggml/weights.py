"""How much the error of each value counts in a search for the best scale."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.rounding import multiply_add
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s


@kernel
def magnitudes(values: Float32Rows, weights: Float32Rows) -> None:
    for r in range(len(values)):
        row, out = values[r], weights[r]
        for i in range(row.size):
            out[i] = abs(row[i])


@kernel
def squares(values: Float32Rows, weights: Float32Rows) -> None:
    for r in range(len(values)):
        row, out = values[r], weights[r]
        for i in range(row.size):
            out[i] = row[i] * row[i]


@kernel
def lifted_magnitudes(values: Float32Rows, weights: Float32Rows) -> None:
    """Magnitudes, each with the root of the row's mean square added."""
    for r in range(len(values)):
        row, out = values[r], weights[r]
        total = np.float32(0)
        for i in range(row.size):
            total += row[i] * row[i]
        lift = np.sqrt(total / np.float32(row.size))
        for i in range(row.size):
            out[i] = lift + abs(row[i])


def of_importance(values: Any, encoding: Encoding, divisor: int) -> Any:
    """Importance times the root of value squared + the row's sum of squares / divisor.

    values: rows, or stretches of one length of them.
    """
    weights = np.empty(values.shape, np.float32)
    weigh = _weigh_fused if encoding.fused else _weigh_plain
    weigh(values, encoding.importance, weights, divisor)
    return weights


@kernel
def _weigh_plain(values: Float32Rows, importance: Float32s, weights: Float32Rows, divisor: int) -> None:
    _weigh(values, importance, weights, np.float32(divisor), None)


@kernel
def _weigh_fused(values: Float32Rows, importance: Float32s, weights: Float32Rows, divisor: int) -> None:
    _weigh(values, importance, weights, np.float32(divisor), True)


@kernel
def _weigh(values: Any, importance: Any, weights: Any, divisor: Any, fused: Any) -> None:
    column = 0
    for r in range(len(values)):
        row, out = values[r], weights[r]
        factors = importance[column : column + row.size]
        total = np.float32(0)
        for i in range(row.size):
            total += row[i] * row[i]
        spread = total / divisor
        for i in range(row.size):
            out[i] = factors[i] * np.sqrt(multiply_add(row[i], row[i], spread, fused))
        column = (column + row.size) % importance.size


@kernel
def repeat(importance: Float32Rows, weights: Float32Rows) -> None:
    """The same for each row of a matrix."""
    for r in range(len(weights)):
        row, out = importance[r % len(importance)], weights[r]
        for i in range(row.size):
            out[i] = row[i]


def sums(weights: Any) -> Any:
    """Of each row, in its order."""
    out = np.empty(len(weights), np.float32)
    _sum(weights, out)
    return out


@kernel
def _sum(weights: Float32Rows, out: Float32s) -> None:
    for r in range(len(weights)):
        row, total = weights[r], np.float32(0)
        for i in range(row.size):
            total += row[i]
        out[r] = total
