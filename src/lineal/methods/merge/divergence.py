"""How far the softmax of a row is from another's, by Kullback and Leibler, in float64."""

import math

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Float64s
from lineal.methods.exact.exponential import exp_to_zero, log

_LANES = 16
_SMALL = 0.125
"""Up to here the terms of 1 + (u - 1) e^u cancel, and it is summed as a series."""
_SERIES = tuple((k + 1) / math.factorial(k + 2) for k in range(9, -1, -1))


@kernel
def divergences(rows: Float32s, others: Float32s, columns: int, out: Float64s) -> None:
    """KL(softmax(row) || softmax(other)) of each row of `columns` float32.

    With p and q the two softmaxes and u = log(p / q), it is the sum of q (1 + (u - 1) e^u): no term is negative, and
    an error of the normalization counts only as its square.
    """
    p, q = np.empty(columns), np.empty(columns)
    for r in range(out.size):
        row, other = rows[r * columns : (r + 1) * columns], others[r * columns : (r + 1) * columns]
        top, other_top = np.float64(row[0]), np.float64(other[0])
        for j in range(1, columns):
            top, other_top = max(top, np.float64(row[j])), max(other_top, np.float64(other[j]))
        for j in range(columns):
            p[j] = exp_to_zero(np.float64(row[j]) - top)
            q[j] = exp_to_zero(np.float64(other[j]) - other_top)
        p_sum, q_sum = total(p), total(q)
        shift = log(p_sum / q_sum)
        for j in range(columns):
            u = (np.float64(row[j]) - top) - (np.float64(other[j]) - other_top) - shift
            likely, before = p[j] / p_sum, q[j] / q_sum
            near, far = before * series(u), likely * (u - 1) + before  # both, for a choice of two vectorizes
            p[j] = near if abs(u) < _SMALL else far
        out[r] = total(p)


@kernel
def series(u: float) -> float:
    """1 + (u - 1) e^u for |u| < 1/8: the sum over k of u^(k + 2) (k + 1) / (k + 2)!."""
    nested = 0.0
    for coefficient in _SERIES:
        nested = nested * u + coefficient
    return u * u * nested


@kernel
def total(values: Float64s) -> float:
    """Summed in 16 interleaved lanes, then the lanes in order: one fixed tree."""
    lanes = np.zeros(_LANES)
    grouped = values.size - values.size % _LANES
    for start in range(0, grouped, _LANES):
        for lane in range(_LANES):
            lanes[lane] += values[start + lane]
    for i in range(grouped, values.size):
        lanes[0] += values[i]
    summed = 0.0
    for lane in range(_LANES):
        summed += lanes[lane]
    return summed
