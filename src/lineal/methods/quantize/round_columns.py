"""Rounding with feedback: each column's error is made up for by the columns that are still to be rounded.

Columns are rounded one after another. What rounding moved those before is carried over to the next by the coefficients
that predict its input from theirs: with H = U U^T, U upper triangular, column k becomes w_k + sum of (w_i - q_i) times
U[i, k] / U[k, k] over i < k. These are GPTQ's updates (Frantar et al. 2022, equations 2 and 3) without the inverse of H
that the paper makes them of: QuIP (Chee et al. 2023, arXiv 2307.13304, theorem 6) shows that both are the same.
"""

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Int8Rows, Int8s, Int64s

_TILE = 64
"""Rows that are rounded side by side; a block of 128 columns of them fits the first cache."""

_MAGIC = np.float32(12582912)
"""3 x 2^22: a sum with it has steps of one."""


@kernel
def round_columns(
    given: Float32Rows,
    values: Float32Rows,
    coefficients: Float32Rows,
    scales: Float32Rows,
    zeros: Int8Rows,
    groups: Int64s,
    lowest: int,
    highest: int,
    codes: Int8Rows,
    moved: Float32Rows,
) -> None:
    """Round a block of columns. Rows do not depend on each other: any part of them can be rounded apart.

    given, values: [rows, columns], the weights, and what they have become by what was rounded before this block.
    coefficients: [columns, columns], of which the part above the diagonal is used. scales, zeros: [rows, all groups].
    groups: of each column, its group. codes, moved: [rows, columns], what is made: the codes, and given less what they
    stand for.
    """
    rows, columns = given.shape
    current, original = np.empty((columns, _TILE), np.float32), np.empty((columns, _TILE), np.float32)
    chosen, scale, zero = np.empty((columns, _TILE), np.int8), np.ones(_TILE, np.float32), np.zeros(_TILE, np.float32)
    low, high = np.float32(lowest), np.float32(highest)
    for start in range(0, rows, _TILE):
        count = min(_TILE, rows - start)
        _turn(values, start, count, current)
        _turn(given, start, count, original)
        group = np.int64(-1)
        for j in range(columns):
            if groups[j] != group:
                group = groups[j]
                for r in range(count):
                    scale[r], zero[r] = scales[start + r, group], np.float32(zeros[start + r, group])
            _round(current[j], scale, zero, low, high, chosen[j], original[j])
            for k in range(j + 1, columns):
                _carry(original[j], coefficients[j, k], current[k])
        for r in range(count):
            for j in range(columns):
                codes[start + r, j], moved[start + r, j] = chosen[j, r], original[j, r]


@kernel
def _turn(rows: Float32Rows, start: int, count: int, turned: Float32Rows) -> None:
    """Columns of a few rows side by side; where there are no rows, zeros."""
    turned[:] = 0
    for r in range(count):
        for j in range(rows.shape[1]):
            turned[j, r] = rows[start + r, j]


@kernel
def _round(
    values: Float32s,
    scale: Float32s,
    zero: Float32s,
    low: np.float32,
    high: np.float32,
    codes: Int8s,
    original: Float32s,
) -> None:
    """The codes nearest to values, ties to even; original becomes what it is away from what they stand for."""
    for r in range(_TILE):
        scaled = values[r] / scale[r] + zero[r]
        code = (min(max(scaled, low), high) + _MAGIC) - _MAGIC
        codes[r] = np.int8(code)
        original[r] -= (code - zero[r]) * scale[r]


@kernel
def _carry(differences: Float32s, coefficient: np.float32, values: Float32s) -> None:
    for r in range(_TILE):
        values[r] += differences[r] * coefficient
