"""The search for one scale of the scales of a block, none of them negative: code * scale is near them.

Source: make_qp_quants in ggml-quants.c of llama.cpp.
"""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml.lanes import SMALLEST
from lineal.checkpoint.codes.ggml.rounding import MAGIC, multiply_add, nearest, whole
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_ROUNDS = 5


def search(values: Any, weights: Any, top: int, fused: bool) -> tuple[Any, Any]:
    """Of each row the scale, and the codes, 0 to top."""
    scales, codes = np.empty(len(values), np.float32), np.empty(values.shape, np.uint8)
    (_fused if fused else _plain)(values, weights, scales, codes, top)
    return scales, codes


@kernel
def _plain(values: Float32Rows, weights: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int) -> None:
    for r in range(len(values)):
        scales[r] = _scale(values[r], weights[r], codes[r], np.int32(top), None)


@kernel
def _fused(values: Float32Rows, weights: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int) -> None:
    for r in range(len(values)):
        scales[r] = _scale(values[r], weights[r], codes[r], np.int32(top), True)


@kernel
def _scale(x: Any, w: Any, codes: Any, top: Any, fused: Any) -> np.float32:
    largest = np.float32(0)
    for i in range(x.size):
        largest = max(largest, x[i])
    if largest < SMALLEST:
        codes[:] = np.uint8(0)
        return np.float32(0)
    inverse = np.float32(top) / largest
    least = _error(x, w, inverse, np.int32(255), fused)
    for i in range(-4, 5):
        if i != 0:
            tried = multiply_add(np.float32(0.1), np.float32(i), np.float32(top), fused) / largest
            error = _error(x, w, tried, top, fused)
            if error < least:
                least, inverse = error, tried
    products, squares = np.float32(0), np.float32(0)
    for i in range(x.size):
        code = min(top, whole(multiply_add(inverse, x[i], MAGIC, fused)))
        codes[i] = np.uint8(code)
        products = multiply_add(w[i] * x[i], np.float32(code), products, fused)
        squares = multiply_add(w[i] * np.float32(code), np.float32(code), squares, fused)
    products, squares = _refine(x, w, codes, products, squares, top, fused)
    return products / squares if squares > np.float32(0) else np.float32(0)


@kernel
def _error(x: Any, w: Any, inverse: Any, top: Any, fused: Any) -> np.float32:
    scale, error = np.float32(1) / inverse, np.float32(0)
    for i in range(x.size):
        code = min(top, whole(multiply_add(inverse, x[i], MAGIC, fused)))
        off = multiply_add(-scale, np.float32(code), x[i], fused)
        error = multiply_add(w[i] * off, off, error, fused)
    return error


@kernel
def _refine(x: Any, w: Any, codes: Any, products: Any, squares: Any, top: Any, fused: Any) -> tuple[Any, Any]:
    """Each code to where it is best, the others being as they are, if that is better."""
    for _ in range(_ROUNDS):
        changed = False
        for i in range(x.size):
            code = np.float32(codes[i])
            other_products = multiply_add(-(w[i] * x[i]), code, products, fused)
            other_squares = multiply_add(-(w[i] * code), code, squares, fused)
            if other_products > np.float32(0) and other_squares > np.float32(0):
                moved = min(top, nearest(x[i] * other_squares / other_products))
                step = np.float32(moved)
                if step != code:
                    new_products = multiply_add(w[i] * x[i], step, other_products, fused)
                    new_squares = multiply_add(w[i] * step, step, other_squares, fused)
                    if new_products * new_products * squares > products * products * new_squares:
                        codes[i], products, squares, changed = np.uint8(moved), new_products, new_squares, True
        if not changed:
            break
    return products, squares
