"""The search for a scale and a smallest value of short rows: code * scale - smallest is near the values.

Each candidate for the scale gives codes, the codes the best scale and smallest value by least squares, and the best
candidate is the one with the least error. Sums go in the order of a row, so that many rows are searched side by side.
Source: make_qkx2_quants and make_qkx3_quants in ggml-quants.c of llama.cpp.
"""

from typing import Any, NamedTuple

import numpy as np

from lineal.checkpoint.codes.ggml.lanes import LANES, LONGEST, from_lanes, to_lanes
from lineal.checkpoint.codes.ggml.rounding import MAGIC, multiply_add, whole, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows

_LOW, _HIGH, _FLAT, _WEIGHT, _WEIGHTED, _INVERSE = (LANES * i for i in range(6))
_CODES, _SQUARES, _PRODUCTS, _TRIED_SCALE, _TRIED_LOW, _SOLVED, _ERROR = (LANES * i for i in range(6, 13))
_SCALE, _LEAST, _BEST_INVERSE, _BEST_LOW = (LANES * i for i in range(13, 17))
_STATE = LANES * 17
"""Where each number of a search lies in its state, one for each lane."""


class Steps(NamedTuple):
    """Candidates: top + low + step * i codes to the range. top: the largest code; absolute: errors are not squared."""

    top: int
    low: float
    step: float
    tries: int
    absolute: bool = False


def weighted(top: int) -> Steps:
    """As they are with an importance."""
    return Steps(top, -0.9, 0.05, 37)


def search(values: Any, weights: Any, steps: Steps, fused: bool) -> tuple[Any, Any]:
    """Of each row: scale, smallest value negated, and sum of weights, in rows; and the codes."""
    found, codes = np.empty((3, len(values)), np.float32), np.empty(values.shape, np.uint8)
    kernel_of: Any = _fused if fused else _plain
    kernel_of(values, weights, found, codes, *steps)
    return found, codes


@kernel
def _plain(
    values: Float32Rows,
    weights: Float32Rows,
    found: Float32Rows,
    codes: Uint8Rows,
    top: int,
    low: np.float32,
    step: np.float32,
    count: int,
    absolute: bool,
) -> None:
    _search(values, weights, found, codes, np.int32(top), low, step, count, absolute, None)


@kernel
def _fused(
    values: Float32Rows,
    weights: Float32Rows,
    found: Float32Rows,
    codes: Uint8Rows,
    top: int,
    low: np.float32,
    step: np.float32,
    count: int,
    absolute: bool,
) -> None:
    _search(values, weights, found, codes, np.int32(top), low, step, count, absolute, True)


@kernel
def _search(
    values: Any,
    weights: Any,
    found: Any,
    codes: Any,
    top: Any,
    low: Any,
    step: Any,
    count: Any,
    absolute: Any,
    fused: Any,
) -> None:
    rows, length = values.shape
    x, w = np.empty(LONGEST * LANES, np.float32), np.empty(LONGEST * LANES, np.float32)
    c, s = np.empty(LONGEST * LANES, np.float32), np.empty(_STATE, np.float32)
    for first in range(0, rows, LANES):
        to_lanes(values, first, x)
        to_lanes(weights, first, w)
        _begin(x, w, s, length, fused)
        for k in range(LANES):
            s[_INVERSE + k] = np.float32(top) / (s[_HIGH + k] - s[_LOW + k])
        _sum(x, w, c, s, length, top, fused)
        for k in range(LANES):
            s[_TRIED_SCALE + k], s[_TRIED_LOW + k] = np.float32(1) / s[_INVERSE + k], s[_LOW + k]
        _measure(x, w, c, s, length, absolute, fused)
        _keep(s, True)
        for i in range(count):
            codes_of_range = multiply_add(step, np.float32(i), low, fused) + np.float32(top)
            for k in range(LANES):
                s[_INVERSE + k] = codes_of_range / (s[_HIGH + k] - s[_LOW + k])
            _sum(x, w, c, s, length, top, fused)
            _solve(s, fused)
            _measure(x, w, c, s, length, absolute, fused)
            _keep(s, False)
        _end(x, c, s, length, top, fused)
        from_lanes(c, first, codes)
        for k in range(min(LANES, rows - first)):
            found[0, first + k], found[1, first + k] = s[_SCALE + k], -s[_LOW + k]
            found[2, first + k] = s[_WEIGHT + k]


@kernel
def _begin(x: Any, w: Any, s: Any, length: Any, fused: Any) -> None:
    for k in range(LANES):
        s[_LOW + k], s[_HIGH + k], s[_WEIGHT + k], s[_WEIGHTED + k] = x[k], x[k], w[k], w[k] * x[k]
    for i in range(1, length):
        for k in range(LANES):
            value, weight = x[i * LANES + k], w[i * LANES + k]
            s[_LOW + k] = min(s[_LOW + k], value)
            s[_HIGH + k] = max(s[_HIGH + k], value)
            s[_WEIGHT + k] += weight
            s[_WEIGHTED + k] = multiply_add(weight, value, s[_WEIGHTED + k], fused)
    for k in range(LANES):
        s[_LOW + k] = min(s[_LOW + k], np.float32(0))
        s[_FLAT + k] = np.float32(1) if s[_HIGH + k] == s[_LOW + k] else np.float32(0)


@kernel
def _sum(x: Any, w: Any, c: Any, s: Any, length: Any, top: Any, fused: Any) -> None:
    """The codes that _INVERSE gives, and the weighted sums of them."""
    for k in range(LANES):
        s[_CODES + k], s[_SQUARES + k], s[_PRODUCTS + k] = np.float32(0), np.float32(0), np.float32(0)
    for i in range(length):
        for k in range(LANES):
            value = x[i * LANES + k]
            summed = multiply_add(s[_INVERSE + k], value - s[_LOW + k], MAGIC, fused)
            code = np.float32(within(whole(summed), 0, top))
            c[i * LANES + k] = code
            weighted = w[i * LANES + k] * code
            s[_CODES + k] += weighted
            s[_SQUARES + k] = multiply_add(weighted, code, s[_SQUARES + k], fused)
            s[_PRODUCTS + k] = multiply_add(weighted, value, s[_PRODUCTS + k], fused)


@kernel
def _solve(s: Any, fused: Any) -> None:
    """Least squares. Which product of a difference is fused is as GCC chooses."""
    for k in range(LANES):
        weight, weighted = s[_WEIGHT + k], s[_WEIGHTED + k]
        codes, squares, products = s[_CODES + k], s[_SQUARES + k], s[_PRODUCTS + k]
        solved = multiply_add(weight, squares, -(codes * codes), fused)
        scale = multiply_add(-weighted, codes, weight * products, fused) / solved
        low = multiply_add(squares, weighted, -(codes * products), fused) / solved
        s[_TRIED_SCALE + k] = products / squares if low > np.float32(0) else scale
        s[_TRIED_LOW + k] = min(low, np.float32(0))
        s[_SOLVED + k] = solved


@kernel
def _measure(x: Any, w: Any, c: Any, s: Any, length: Any, absolute: Any, fused: Any) -> None:
    for k in range(LANES):
        s[_ERROR + k] = np.float32(0)
    for i in range(length):
        for k in range(LANES):
            near = multiply_add(s[_TRIED_SCALE + k], c[i * LANES + k], s[_TRIED_LOW + k], fused)
            off = near - x[i * LANES + k]
            distance = abs(off) if absolute else off * off
            s[_ERROR + k] = multiply_add(w[i * LANES + k], distance, s[_ERROR + k], fused)


@kernel
def _keep(s: Any, first: Any) -> None:
    """What was tried, where it is better, and always the first; later candidates begin at its smallest value."""
    for k in range(LANES):
        better = first | ((s[_SOLVED + k] > np.float32(0)) & (s[_ERROR + k] < s[_LEAST + k]))
        s[_LEAST + k] = s[_ERROR + k] if better else s[_LEAST + k]
        s[_SCALE + k] = s[_TRIED_SCALE + k] if better else s[_SCALE + k]
        s[_BEST_INVERSE + k] = s[_INVERSE + k] if better else s[_BEST_INVERSE + k]
        s[_BEST_LOW + k] = s[_LOW + k] if better else s[_BEST_LOW + k]
        s[_LOW + k] = s[_TRIED_LOW + k] if better else s[_LOW + k]


@kernel
def _end(x: Any, c: Any, s: Any, length: Any, top: Any, fused: Any) -> None:
    """The codes of the best; a row of equal values has none, and no scale."""
    for i in range(length):
        for k in range(LANES):
            summed = multiply_add(s[_BEST_INVERSE + k], x[i * LANES + k] - s[_BEST_LOW + k], MAGIC, fused)
            code = np.float32(within(whole(summed), 0, top))
            c[i * LANES + k] = code if s[_FLAT + k] == np.float32(0) else np.float32(0)
    for k in range(LANES):
        s[_SCALE + k] = s[_SCALE + k] if s[_FLAT + k] == np.float32(0) else np.float32(0)
