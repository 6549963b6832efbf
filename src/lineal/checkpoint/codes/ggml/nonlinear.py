"""The search for a scale of rows whose 16 codes stand for values of unequal distances: value of code * scale.

Source: quantize_row_iq4_nl_impl and kvalues_iq4nl in llama.cpp's ggml-quants.c and ggml-common.h.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml.lanes import (
    LANES,
    LARGEST,
    LONGEST,
    MAGNITUDE,
    SMALLEST,
    find_largest,
    to_lanes,
)
from lineal.checkpoint.codes.ggml.rounding import multiply_add
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s

LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
"""What each code stands for."""

MIDDLES = tuple((low + high) / 2 for low, high in pairwise(LEVELS))
"""From where on a value has the next code."""

_INVERSE, _PRODUCTS, _SQUARES, _SCALE, _BEST = (LANES * i for i in range(2, 7))
_STATE = LANES * 7
_TRIES = 7


def search(values: Any, weights: Any, fused: bool) -> Any:
    """Of each row the scale."""
    scales = np.empty(len(values), np.float32)
    (_fused if fused else _plain)(values, weights, scales)
    return scales


@kernel
def nearest_level(value: Any) -> np.int32:
    """The code; a value in the middle of two has the higher one, and what is no number the highest."""
    code = np.int32(0)
    for j in range(15):
        code += np.int32(0) if value < np.float32(MIDDLES[j]) else np.int32(1)
    return code


@kernel
def _plain(values: Float32Rows, weights: Float32Rows, scales: Float32s) -> None:
    _search(values, weights, scales, None)


@kernel
def _fused(values: Float32Rows, weights: Float32Rows, scales: Float32s) -> None:
    _search(values, weights, scales, True)


@kernel
def _search(values: Any, weights: Any, scales: Any, fused: Any) -> None:
    rows, length = values.shape
    x, w = np.empty(LONGEST * LANES, np.float32), np.empty(LONGEST * LANES, np.float32)
    s = np.empty(_STATE, np.float32)
    for first in range(0, rows, LANES):
        to_lanes(values, first, x)
        to_lanes(weights, first, w)
        find_largest(x, s, length)
        for k in range(LANES):
            s[_INVERSE + k] = np.float32(1) / (-s[LARGEST + k] / np.float32(LEVELS[0]))
            s[_BEST + k], s[_SCALE + k] = np.float32(0), np.float32(0)
        _sum(x, w, s, length, fused)
        for k in range(LANES):
            scale = s[_PRODUCTS + k] / s[_SQUARES + k] if s[_SQUARES + k] > np.float32(0) else np.float32(0)
            s[_SCALE + k], s[_BEST + k] = scale, scale * s[_PRODUCTS + k]
        for i in range(-_TRIES, _TRIES + 1):
            for k in range(LANES):
                s[_INVERSE + k] = np.float32(i + LEVELS[0]) / s[LARGEST + k]
            _sum(x, w, s, length, fused)
            for k in range(LANES):
                products, squares = s[_PRODUCTS + k], s[_SQUARES + k]
                better = (squares > np.float32(0)) & (products * products > s[_BEST + k] * squares)
                scale = products / squares
                s[_SCALE + k] = scale if better else s[_SCALE + k]
                s[_BEST + k] = scale * products if better else s[_BEST + k]
        for k in range(min(LANES, rows - first)):
            scales[first + k] = np.float32(0) if s[MAGNITUDE + k] < SMALLEST else s[_SCALE + k]


@kernel
def _sum(x: Any, w: Any, s: Any, length: Any, fused: Any) -> None:
    """Weighted sums of what the codes stand for that _INVERSE gives."""
    for k in range(LANES):
        s[_PRODUCTS + k], s[_SQUARES + k] = np.float32(0), np.float32(0)
    for i in range(length):
        for k in range(LANES):
            value = x[i * LANES + k]
            scaled = s[_INVERSE + k] * value
            level = np.float32(LEVELS[0])
            for j in range(15):
                level += np.float32(0) if scaled < np.float32(MIDDLES[j]) else np.float32(LEVELS[j + 1] - LEVELS[j])
            weighted = w[i * LANES + k] * level
            s[_PRODUCTS + k] = multiply_add(weighted, value, s[_PRODUCTS + k], fused)
            s[_SQUARES + k] = multiply_add(weighted, level, s[_SQUARES + k], fused)
