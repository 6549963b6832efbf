"""Rounding to a grid, in the words of compressed-tensors' documentation: slow, group by group, with numpy's scalars."""

from typing import Any

import ml_dtypes
import numpy as np

DTYPES = {"BF16": ml_dtypes.bfloat16, "F16": np.float16, "F32": np.float32}


def grid_of(values: Any, bits: int, *, symmetric: bool, group: int | None, scale_dtype: str) -> tuple[Any, Any, Any]:
    """Scales, zero points and codes of [rows, columns]."""
    size = group or values.shape[1]
    shape = (len(values), values.shape[1] // size)
    scales, zeros = np.ones(shape, np.float32), np.zeros(shape, np.int64)
    codes = np.zeros(values.shape, np.int64)
    for r in range(shape[0]):
        for g in range(shape[1]):
            found = values[r, g * size : (g + 1) * size]
            scale, zero = scale_of(found, bits, symmetric=symmetric, scale_dtype=scale_dtype)
            scales[r, g], zeros[r, g] = scale, zero
            for i, value in enumerate(found):
                codes[r, g * size + i] = nearest(value / scale + np.float32(zero), bits)
    return scales, zeros, codes


def scale_of(found: Any, bits: int, *, symmetric: bool, scale_dtype: str) -> tuple[Any, int]:
    low, high = np.float32(min(found.min(), 0)), np.float32(max(found.max(), 0))
    steps = 2**bits - 1
    exact = max(-low, high) / np.float32(steps / 2) if symmetric else (high - low) / np.float32(steps)
    dtype = DTYPES[scale_dtype]
    scale = np.float32(dtype(exact))
    if scale == 0:
        scale = np.float32(np.nextafter(dtype(0), dtype(1))) if low < 0 or high > 0 else np.float32(1)
    return scale, 0 if symmetric else nearest(np.float32(-(2 ** (bits - 1))) - low / scale, bits)


def nearest(value: Any, bits: int) -> int:
    """Python's round takes ties to even."""
    return round(float(min(max(value, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)))


def packed_row(codes: Any, bits: int) -> list[int]:
    """A row's words, as one whole number that is cut into words."""
    number = sum((int(code) + (1 << (bits - 1))) << (bits * i) for i, code in enumerate(codes))
    return [(number >> (32 * word)) & 0xFFFFFFFF for word in range(-(-len(codes) * bits // 32))]
