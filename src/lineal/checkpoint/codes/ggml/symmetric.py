"""The search for a scale of short rows alone: (code - top) * scale is near the values.

Source: make_qx_quants in ggml-quants.c of llama.cpp.
"""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml.lanes import (
    LANES,
    LARGEST,
    LONGEST,
    MAGNITUDE,
    SMALLEST,
    find_largest,
    from_lanes,
    to_lanes,
)
from lineal.checkpoint.codes.ggml.rounding import MAGIC, multiply_add, whole, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_INVERSE, _PRODUCTS, _SQUARES, _SCALE, _BEST, _BEST_INVERSE = (LANES * i for i in range(2, 8))
_STATE = LANES * 8
"""Where each number of a search lies in its state, one for each lane, behind the two of `find_largest`."""


def search(values: Any, weights: Any, top: int, fused: bool) -> tuple[Any, Any]:
    """Of each row the scale, and the codes, 0 to 2 * top - 1."""
    scales, codes = np.empty(len(values), np.float32), np.empty(values.shape, np.uint8)
    (_fused if fused else _plain)(values, weights, scales, codes, top)
    return scales, codes


@kernel
def _plain(values: Float32Rows, weights: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int) -> None:
    _search(values, weights, scales, codes, np.int32(top), None)


@kernel
def _fused(values: Float32Rows, weights: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int) -> None:
    _search(values, weights, scales, codes, np.int32(top), True)


@kernel
def _search(values: Any, weights: Any, scales: Any, codes: Any, top: Any, fused: Any) -> None:
    rows, length = values.shape
    x, w = np.empty(LONGEST * LANES, np.float32), np.empty(LONGEST * LANES, np.float32)
    s = np.empty(_STATE, np.float32)
    for first in range(0, rows, LANES):
        to_lanes(values, first, x)
        to_lanes(weights, first, w)
        find_largest(x, s, length)
        for k in range(LANES):
            s[_INVERSE + k] = np.float32(-top) / s[LARGEST + k]
        _sum(x, w, s, length, top, fused, fused)
        for k in range(LANES):
            ratio = s[_PRODUCTS + k] / s[_SQUARES + k]
            s[_SCALE + k] = ratio if s[_SQUARES + k] != np.float32(0) else np.float32(0)
            s[_BEST + k], s[_BEST_INVERSE + k] = s[_SCALE + k] * s[_PRODUCTS + k], s[_INVERSE + k]
        for i in range(-9, 10):
            if i != 0:
                tried = -multiply_add(np.float32(0.1), np.float32(i), np.float32(top), fused)
                for k in range(LANES):
                    s[_INVERSE + k] = tried / s[LARGEST + k]
                _sum(x, w, s, length, top, fused, None)
                _keep(s)
        _end(x, s, length, top, fused)
        from_lanes(x, first, codes)
        for k in range(min(LANES, rows - first)):
            scales[first + k] = s[_SCALE + k]


@kernel
def _sum(x: Any, w: Any, s: Any, length: Any, top: Any, fused: Any, sums_fused: Any) -> None:
    """Weighted sums of the codes that _INVERSE gives. GCC adds those of the candidates up without fusing."""
    for k in range(LANES):
        s[_PRODUCTS + k], s[_SQUARES + k] = np.float32(0), np.float32(0)
    for i in range(length):
        for k in range(LANES):
            value, weight = x[i * LANES + k], w[i * LANES + k]
            summed = multiply_add(s[_INVERSE + k], value, MAGIC, fused)
            code = np.float32(within(whole(summed), -top, top - np.int32(1)))
            s[_PRODUCTS + k] = multiply_add(weight * value, code, s[_PRODUCTS + k], sums_fused)
            s[_SQUARES + k] = multiply_add(weight * code, code, s[_SQUARES + k], sums_fused)


@kernel
def _keep(s: Any) -> None:
    """The candidate, where it is better."""
    for k in range(LANES):
        products, squares = s[_PRODUCTS + k], s[_SQUARES + k]
        better = (squares > np.float32(0)) & (products * products > s[_BEST + k] * squares)
        scale = products / squares
        s[_SCALE + k] = scale if better else s[_SCALE + k]
        s[_BEST + k] = scale * products if better else s[_BEST + k]
        s[_BEST_INVERSE + k] = s[_INVERSE + k] if better else s[_BEST_INVERSE + k]


@kernel
def _end(x: Any, s: Any, length: Any, top: Any, fused: Any) -> None:
    """The codes of the best, in place of the values."""
    for i in range(length):
        for k in range(LANES):
            summed = multiply_add(s[_BEST_INVERSE + k], x[i * LANES + k], MAGIC, fused)
            code = np.float32(within(whole(summed), -top, top - np.int32(1)) + top)
            x[i * LANES + k] = np.float32(0) if s[MAGNITUDE + k] < SMALLEST else code
    for k in range(LANES):
        s[_SCALE + k] = np.float32(0) if s[MAGNITUDE + k] < SMALLEST else s[_SCALE + k]
