"""The search for a scale of short rows that moves one code after the other, up to five times around.

A row that comes around without a change would never change again, so rows side by side go on until none has changed.
Source: make_q3_quants in ggml-quants.c of llama.cpp.
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
from lineal.checkpoint.codes.ggml.rounding import MAGIC, multiply_add, nearest, whole, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_PRODUCTS, _SQUARES, _CHANGED = (LANES * i for i in range(2, 5))
_STATE = LANES * 5
_ROUNDS = 5


def search(values: Any, top: int, fused: bool) -> tuple[Any, Any]:
    """Of each row the scale, and the codes, 0 to 2 * top - 1."""
    scales, codes = np.empty(len(values), np.float32), np.empty(values.shape, np.uint8)
    (_fused if fused else _plain)(values, scales, codes, top)
    return scales, codes


@kernel
def _plain(values: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int) -> None:
    _search(values, scales, codes, np.int32(top), None)


@kernel
def _fused(values: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int) -> None:
    _search(values, scales, codes, np.int32(top), True)


@kernel
def _search(values: Any, scales: Any, codes: Any, top: Any, fused: Any) -> None:
    rows, length = values.shape
    x, c = np.empty(LONGEST * LANES, np.float32), np.empty(LONGEST * LANES, np.float32)
    s = np.empty(_STATE, np.float32)
    for first in range(0, rows, LANES):
        to_lanes(values, first, x)
        find_largest(x, s, length)
        _begin(x, c, s, length, top, fused)
        for _ in range(_ROUNDS):
            _move(x, c, s, length, top, fused)
            changed = np.float32(0)
            for k in range(LANES):
                changed += s[_CHANGED + k]
            if changed == np.float32(0):
                break
        for i in range(length):
            for k in range(LANES):
                code = c[i * LANES + k] + np.float32(top)
                c[i * LANES + k] = np.float32(0) if s[MAGNITUDE + k] < SMALLEST else code
        from_lanes(c, first, codes)
        for k in range(min(LANES, rows - first)):
            is_scale = (s[_SQUARES + k] > np.float32(0)) & (s[MAGNITUDE + k] >= SMALLEST)
            scales[first + k] = s[_PRODUCTS + k] / s[_SQUARES + k] if is_scale else np.float32(0)


@kernel
def _begin(x: Any, c: Any, s: Any, length: Any, top: Any, fused: Any) -> None:
    """The codes that the largest value gives, and their sums, weighted by the squares of the values."""
    for k in range(LANES):
        s[_PRODUCTS + k], s[_SQUARES + k] = np.float32(0), np.float32(0)
    for i in range(length):
        for k in range(LANES):
            value = x[i * LANES + k]
            weight = value * value
            summed = multiply_add(np.float32(-top) / s[LARGEST + k], value, MAGIC, fused)
            code = np.float32(within(whole(summed), -top, top - np.int32(1)))
            c[i * LANES + k] = code
            s[_PRODUCTS + k] = multiply_add(weight * value, code, s[_PRODUCTS + k], fused)
            s[_SQUARES + k] = multiply_add(weight * code, code, s[_SQUARES + k], fused)


@kernel
def _move(x: Any, c: Any, s: Any, length: Any, top: Any, fused: Any) -> None:
    """Each code to where it is best, the others being as they are, if that is better."""
    for k in range(LANES):
        s[_CHANGED + k] = np.float32(0)
    for i in range(length):
        for k in range(LANES):
            value, code, products, squares = x[i * LANES + k], c[i * LANES + k], s[_PRODUCTS + k], s[_SQUARES + k]
            weight = value * value
            other_products = multiply_add(-(weight * value), code, products, fused)
            other_squares = multiply_add(-(weight * code), code, squares, fused)
            best = nearest(value * other_squares / other_products)
            moved = np.float32(within(best, -top, top - np.int32(1)))
            new_products = multiply_add(weight * value, moved, other_products, fused)
            new_squares = multiply_add(weight * moved, moved, other_squares, fused)
            better = new_products * new_products * squares > products * products * new_squares
            allowed = (other_products > np.float32(0)) & (moved != code) & (new_squares > np.float32(0))
            c[i * LANES + k] = moved if allowed & better else code
            s[_PRODUCTS + k] = new_products if allowed & better else products
            s[_SQUARES + k] = new_squares if allowed & better else squares
            s[_CHANGED + k] += np.float32(1) if allowed & better else np.float32(0)
