"""Q3_K: 256 values in rows of 16 behind a scale of 6 bits each, and one float16 for those. Codes of 3 bits."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml import block_scales, refined, symmetric, weights
from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.float16 import float16_at, put_float16
from lineal.checkpoint.codes.ggml.rounding import nearest, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_CODES, _SCALES, _SCALE = 32, 96, 108
"""Where the low bits, the rows' scales and theirs lie in a block, behind the high bits."""


def encode(values: Any, blocks: Any, encoding: Encoding) -> None:
    rows = values.reshape(-1, 16)
    if encoding.importance is None:
        scales, codes = refined.search(rows, 4, encoding.fused)
        step, scale_codes = block_scales.of_largest_magnitude(scales.reshape(-1, 16), 32, encoding.fused)
    else:
        weight = weights.of_importance(values, encoding, 128).reshape(-1, 16)
        scales, codes = symmetric.search(rows, weight, 4, encoding.fused)
        step, scale_codes = symmetric.search(
            scales.reshape(-1, 16), weights.sums(weight).reshape(-1, 16), 32, encoding.fused
        )
    _write(values, step, scale_codes, codes.reshape(-1, 256), blocks)


@kernel
def _write(values: Float32Rows, step: Float32s, scales: Uint8Rows, codes: Uint8Rows, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        row, code, block = values[b], codes[b], blocks[b]
        put_float16(step[b], blocks, b, _SCALE)
        for j in range(4):
            first, second, third, fourth = scales[b, j], scales[b, j + 4], scales[b, j + 8], scales[b, j + 12]
            block[_SCALES + j] = np.uint8((first & np.uint8(15)) | (third << np.uint8(4)))
            block[_SCALES + 4 + j] = np.uint8((second & np.uint8(15)) | (fourth << np.uint8(4)))
            low, high = (first >> np.uint8(4)) | (second >> np.uint8(4) << np.uint8(2)), third >> np.uint8(4)
            block[_SCALES + 8 + j] = np.uint8(low | (high << np.uint8(4)) | (fourth >> np.uint8(4) << np.uint8(6)))
        for j in range(16):
            scale = float16_at(block, _SCALE) * np.float32(np.int32(scales[b, j]) - np.int32(32))
            if scale != np.float32(0):
                for i in range(16 * j, 16 * j + 16):
                    code[i] = np.uint8(within(nearest(row[i] / scale), -4, 3) + np.int32(4))
        _pack(code, block)


@kernel
def _pack(code: Any, block: Any) -> None:
    for i in range(32):
        high = np.uint8(0)
        for j in range(8):
            high |= np.uint8(code[32 * j + i] >> np.uint8(2) << np.uint8(j))
        block[i] = np.uint8(high)
    for half in range(2):
        for i in range(32):
            low = np.uint8(0)
            for j in range(4):
                low |= np.uint8((code[128 * half + 32 * j + i] & np.uint8(3)) << np.uint8(2 * j))
            block[_CODES + 32 * half + i] = np.uint8(low)


@kernel
def decode(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        for j in range(16):
            low = (block[_SCALES + j % 8] >> np.uint8(4 * (j // 8))) & np.uint8(15)
            high = (block[_SCALES + 8 + j % 4] >> np.uint8(2 * (j // 4))) & np.uint8(3)
            whole = np.int32(low | (high << np.uint8(4))) - np.int32(32)
            scale = float16_at(block, _SCALE) * np.float32(np.int32(whole))
            first, shift = _CODES + 32 * (j // 8) + 16 * (j % 2), np.uint8(2 * (j // 2 % 4))
            for i in range(16):
                bits = np.int32((block[first + i] >> shift) & np.uint8(3))
                is_high = (block[16 * (j % 2) + i] >> np.uint8(j // 2)) & np.uint8(1)
                row[16 * j + i] = scale * np.float32(np.int32(bits - np.int32(4) + np.int32(4 * is_high)))
