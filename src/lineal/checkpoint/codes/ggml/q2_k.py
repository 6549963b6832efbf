"""Q2_K: 256 values in rows of 16 behind a scale and a smallest value of 4 bits, and two float16 for those."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml import affine, block_scales, positive, weights
from lineal.checkpoint.codes.ggml.affine import Steps
from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.float16 import float16_at, put_float16
from lineal.checkpoint.codes.ggml.rounding import multiply_add, nearest, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_CODES, _SCALE, _LOW = 16, 80, 82
"""Where codes and the two float16 lie in a block, behind the rows' scales."""

_TWO = Steps(3, -0.5, 0.1, 16, absolute=True)


def encode(values: Any, blocks: Any, encoding: Encoding) -> None:
    rows = values.reshape(-1, 16)
    if encoding.importance is None:
        weight = np.empty(rows.shape, np.float32)
        weights.magnitudes(rows, weight)
        found, codes = affine.search(rows, weight, _TWO, encoding.fused)
        scales, lows, _ = found.reshape(3, -1, 16)
        step, scale_codes = block_scales.of_largest(scales, 15, encoding.fused)
        low_step, low_codes = block_scales.of_largest(lows, 15, encoding.fused)
    else:
        weight = weights.of_importance(values, encoding, 256).reshape(-1, 16)
        found, codes = affine.search(rows, weight, affine.weighted(3), encoding.fused)
        scales, lows, counts = found.reshape(3, -1, 16)
        step, scale_codes = positive.search(scales, counts, 15, encoding.fused)
        low_step, low_codes = positive.search(lows, counts, 15, encoding.fused)
    _write(values, step, low_step, scale_codes, low_codes, codes.reshape(-1, 256), blocks, encoding.fused)


@kernel
def _write(
    values: Float32Rows,
    step: Float32s,
    low_step: Float32s,
    scales: Uint8Rows,
    lows: Uint8Rows,
    codes: Uint8Rows,
    blocks: Uint8Rows,
    fused: bool,
) -> None:
    for b in range(len(blocks)):
        row, code, block = values[b], codes[b], blocks[b]
        put_float16(step[b], blocks, b, _SCALE)
        put_float16(low_step[b], blocks, b, _LOW)
        for j in range(16):
            block[j] = np.uint8(scales[b, j] | (lows[b, j] << np.uint8(4)))
            scale = float16_at(block, _SCALE) * np.float32(scales[b, j])
            if scale != np.float32(0):
                largest_low, low = float16_at(block, _LOW), np.float32(lows[b, j])
                if fused:
                    for i in range(16 * j, 16 * j + 16):
                        code[i] = _code(multiply_add(largest_low, low, row[i], True) / scale)
                else:
                    for i in range(16 * j, 16 * j + 16):
                        code[i] = _code(multiply_add(largest_low, low, row[i], None) / scale)
        for half in range(2):
            for i in range(32):
                bits = np.uint8(0)
                for j in range(4):
                    bits |= np.uint8(code[128 * half + 32 * j + i] << np.uint8(2 * j))
                block[_CODES + 32 * half + i] = np.uint8(bits)


@kernel
def _code(scaled: Any) -> np.uint8:
    return np.uint8(within(nearest(scaled), 0, 3))


@kernel
def decode(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        for j in range(16):
            scale = float16_at(block, _SCALE) * np.float32(block[j] & np.uint8(15))
            low = float16_at(block, _LOW) * np.float32(block[j] >> np.uint8(4))
            first, shift = _CODES + 32 * (j // 8) + 16 * (j % 2), np.uint8(2 * (j // 2 % 4))
            for i in range(16):
                row[16 * j + i] = scale * np.float32((block[first + i] >> shift) & np.uint8(3)) - low
