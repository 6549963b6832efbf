"""The scales of a block's short rows as whole numbers, and the scale of those: the largest gets the largest code."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml.rounding import MAGIC, multiply_add, whole, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows


def of_largest(values: Any, top: int, fused: bool) -> tuple[Any, Any]:
    """Of each row, none of whose values counts that is negative: the scale, and the codes, 0 to top."""
    scales, codes = np.empty(len(values), np.float32), np.empty(values.shape, np.uint8)
    _of_largest(values, scales, codes, top, fused)
    return scales, codes


def of_largest_magnitude(values: Any, top: int, fused: bool) -> tuple[Any, Any]:
    """Of each row: the scale, and the codes, 0 to 2 * top - 1."""
    scales, codes = np.empty(len(values), np.float32), np.empty(values.shape, np.uint8)
    _of_largest_magnitude(values, scales, codes, top, fused)
    return scales, codes


@kernel
def rounded_product(a: Any, b: Any, fused: bool) -> np.int32:
    return whole(multiply_add(a, b, MAGIC, True)) if fused else whole(multiply_add(a, b, MAGIC, None))


@kernel
def _of_largest(values: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int, fused: bool) -> None:
    for r in range(len(values)):
        row, largest = values[r], np.float32(0)
        for i in range(row.size):
            largest = max(largest, row[i])
        inverse = np.float32(top) / largest if largest > np.float32(0) else np.float32(0)
        scales[r] = largest / np.float32(top)
        for i in range(row.size):
            code = rounded_product(inverse, row[i], fused) & np.int32(255)
            codes[r, i] = np.uint8(min(np.int32(top), np.int32(code)))


@kernel
def _of_largest_magnitude(values: Float32Rows, scales: Float32s, codes: Uint8Rows, top: int, fused: bool) -> None:
    for r in range(len(values)):
        row, magnitude, largest = values[r], np.float32(0), np.float32(0)
        for i in range(row.size):
            if abs(row[i]) > magnitude:
                magnitude, largest = abs(row[i]), row[i]
        if largest == np.float32(0):
            scales[r] = np.float32(0)
            codes[r, :] = np.uint8(0)
            continue
        inverse = np.float32(-top) / largest
        scales[r] = np.float32(1) / inverse
        for i in range(row.size):
            code = np.int32(np.int8(rounded_product(inverse, row[i], fused)))
            codes[r, i] = np.uint8(within(code, -top, top - 1) + top)
