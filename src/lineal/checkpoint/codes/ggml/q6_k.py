"""Q6_K: 256 values in rows of 16 behind an 8 bit scale each, and one float16 for those. Codes of 6 bits."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml import symmetric, weights
from lineal.checkpoint.codes.ggml.block_scales import rounded_product
from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.float16 import float16_at, put_float16
from lineal.checkpoint.codes.ggml.lanes import SMALLEST
from lineal.checkpoint.codes.ggml.rounding import nearest, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows

_HIGH, _SCALES, _SCALE = 128, 192, 208
"""Where the high bits, the rows' scales and theirs lie in a block, behind the low bits."""


def encode(values: Any, blocks: Any, encoding: Encoding) -> None:
    rows = values.reshape(-1, 16)
    weight = np.empty(rows.shape, np.float32)
    if encoding.importance is None:
        weights.squares(rows, weight)
    else:
        weights.repeat(encoding.importance.reshape(-1, 16), weight)
    scales, codes = symmetric.search(rows, weight, 32, encoding.fused)
    _write(values, scales.reshape(-1, 16), codes.reshape(-1, 256), blocks, encoding.fused)


@kernel
def _write(values: Float32Rows, scales: Float32Rows, codes: Uint8Rows, blocks: Uint8Rows, fused: bool) -> None:
    for b in range(len(blocks)):
        row, code, block = values[b], codes[b], blocks[b]
        magnitude, largest = np.float32(0), np.float32(0)
        for j in range(16):
            if abs(scales[b, j]) > magnitude:
                magnitude, largest = abs(scales[b, j]), scales[b, j]
        if magnitude < SMALLEST:
            block[:] = np.uint8(0)
            continue
        inverse = np.float32(-128) / largest
        put_float16(np.float32(1) / inverse, blocks, b, _SCALE)
        for j in range(16):
            scale = np.int32(np.int8(min(np.int32(127), rounded_product(inverse, scales[b, j], fused))))
            block[_SCALES + j] = np.uint8(scale)
            step = float16_at(block, _SCALE) * np.float32(scale)
            if step != np.float32(0):
                for i in range(16 * j, 16 * j + 16):
                    code[i] = np.uint8(within(nearest(row[i] / step), -32, 31) + np.int32(32))
        _pack(code, block)


@kernel
def _pack(code: Any, block: Any) -> None:
    for half in range(2):
        for i in range(32):
            at = 128 * half + i
            first, second, third, fourth = code[at], code[at + 32], code[at + 64], code[at + 96]
            block[64 * half + i] = np.uint8((first & np.uint8(15)) | (third << np.uint8(4)))
            block[64 * half + 32 + i] = np.uint8((second & np.uint8(15)) | (fourth << np.uint8(4)))
            low, high = (first >> np.uint8(4)) | (second >> np.uint8(4) << np.uint8(2)), third >> np.uint8(4)
            block[_HIGH + 32 * half + i] = np.uint8(
                low | (high << np.uint8(4)) | (fourth >> np.uint8(4) << np.uint8(6))
            )


@kernel
def decode(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_at(block, _SCALE)
        for j in range(16):
            step = scale * np.float32(np.int8(block[_SCALES + j]))
            low, high = 64 * (j // 8) + 16 * (j % 4), _HIGH + 32 * (j // 8) + 16 * (j % 2)
            shift, high_shift = np.uint8(4 * (j // 4 % 2)), np.uint8(2 * (j // 2 % 4))
            for i in range(16):
                bits = np.int32((block[low + i] >> shift) & np.uint8(15))
                bits |= np.int32((block[high + i] >> high_shift) & np.uint8(3)) << np.int32(4)
                row[16 * j + i] = step * np.float32(np.int32(bits) - np.int32(32))
