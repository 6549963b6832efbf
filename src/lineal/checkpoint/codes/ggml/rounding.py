"""float32 arithmetic that llama.cpp's searches are made of: the nearest whole number, and products with their sum."""

from typing import Any

import numpy as np

from lineal.kernels.kernel import kernel

MAGIC = np.float32(12582912)
"""3 x 2^22: a sum with it has steps of one, so that its lowest bits are the whole number."""


@kernel
def whole(summed: Any) -> np.int32:
    """What a value was rounded to when MAGIC was added to it; of what is no number or too large, its lowest bits."""
    return np.int32((np.float32(summed).view(np.int32) & np.int32(0x7FFFFF)) - np.int32(0x400000))


@kernel
def nearest(value: Any) -> np.int32:
    """The nearest whole number, ties to even."""
    return whole(value + MAGIC)


@kernel
def within(value: Any, low: Any, high: Any) -> np.int32:
    return max(np.int32(low), min(np.int32(high), np.int32(value)))


@kernel
def multiply_add(a: Any, b: Any, c: Any, fused: Any) -> np.float32:
    """a * b + c; fused: None where the product is rounded, too, anything else where the sum alone is.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd there: then rounding it to float32
    is the only rounding that counts.
    """
    if fused is None:
        return a * b + c
    product, added = np.float64(a) * np.float64(b), np.float64(c)
    total = product + added
    back = total - product
    error = (product - (total - back)) + (added - back)
    bits = np.float64(total).view(np.int64)
    upward = (error > 0.0) == (bits >= np.int64(0))
    moved = bits + (np.int64(1) if upward else np.int64(-1))
    is_inexact = (error > 0.0) | (error < 0.0)
    odd = moved if is_inexact & ((bits & np.int64(1)) == np.int64(0)) else bits
    return np.float32(np.int64(odd).view(np.float64))
