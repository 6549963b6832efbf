"""Q4_K and Q5_K: 256 values in rows of 32 behind a scale and a smallest value of 6 bits, and two float16 for those."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml import affine, block_scales, positive, weights
from lineal.checkpoint.codes.ggml.affine import Steps
from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.float16 import float16_at, put_float16
from lineal.checkpoint.codes.ggml.rounding import nearest, within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_SCALES, _CODES, _HIGH_BITS = 4, 16, 32
"""Where the rows' scales and the codes lie in a block; in one of Q5_K all fifth bits stand before the other bits."""

_FOUR, _FIVE = Steps(15, -1.0, 0.1, 21), Steps(31, -0.5, 0.1, 16)
_LARGEST_SCALE = 63


def encode_q4(values: Any, blocks: Any, encoding: Encoding) -> None:
    _encode(values, blocks, encoding, _FOUR)


def encode_q5(values: Any, blocks: Any, encoding: Encoding) -> None:
    _encode(values, blocks, encoding, _FIVE)


def _encode(values: Any, blocks: Any, encoding: Encoding, steps: Steps) -> None:
    rows = values.reshape(-1, 32)
    if encoding.importance is None:
        weight = np.empty(rows.shape, np.float32)
        weights.lifted_magnitudes(rows, weight)
        found, codes = affine.search(rows, weight, steps, encoding.fused)
        scales, lows, _ = found.reshape(3, -1, 8)
        step, scale_codes = block_scales.of_largest(scales, _LARGEST_SCALE, encoding.fused)
        low_step, low_codes = block_scales.of_largest(lows, _LARGEST_SCALE, encoding.fused)
    else:
        weight = weights.of_importance(values, encoding, 128).reshape(-1, 32)
        found, codes = affine.search(rows, weight, affine.weighted(steps.top), encoding.fused)
        scales, lows, counts = found.reshape(3, -1, 8)
        step, scale_codes = positive.search(scales, counts, _LARGEST_SCALE, encoding.fused)
        low_step, low_codes = positive.search(lows, counts, _LARGEST_SCALE, encoding.fused)
    codes = codes.reshape(-1, 256)
    _write(values, step, low_step, scale_codes, low_codes, codes, steps.top, blocks)
    (_pack_q4 if steps is _FOUR else _pack_q5)(codes, blocks)


@kernel
def _write(
    values: Float32Rows,
    step: Float32s,
    low_step: Float32s,
    scales: Uint8Rows,
    lows: Uint8Rows,
    codes: Uint8Rows,
    top: int,
    blocks: Uint8Rows,
) -> None:
    """All but the codes; these as they are nearest by the scales as stored."""
    for b in range(len(blocks)):
        row, code, block = values[b], codes[b], blocks[b]
        put_float16(step[b], blocks, b, 0)
        put_float16(low_step[b], blocks, b, 2)
        largest, largest_low = float16_at(block, 0), float16_at(block, 2)
        for j in range(4):
            scale, low = scales[b, j + 4], lows[b, j + 4]
            block[_SCALES + j] = np.uint8(scales[b, j] | (scale >> np.uint8(4) << np.uint8(6)))
            block[_SCALES + 4 + j] = np.uint8(lows[b, j] | (low >> np.uint8(4) << np.uint8(6)))
            block[_SCALES + 8 + j] = np.uint8((scale & np.uint8(15)) | (low << np.uint8(4)))
        for j in range(8):
            scale = largest * np.float32(scales[b, j])
            low = largest_low * np.float32(lows[b, j])
            if scale != np.float32(0):
                for i in range(32 * j, 32 * j + 32):
                    code[i] = np.uint8(within(nearest((row[i] + low) / scale), 0, top))


@kernel
def _pack_q4(codes: Uint8Rows, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        code, block = codes[b], blocks[b]
        for j in range(4):
            for i in range(32):
                block[_CODES + 32 * j + i] = np.uint8(code[64 * j + i] | (code[64 * j + 32 + i] << np.uint8(4)))


@kernel
def _pack_q5(codes: Uint8Rows, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        code, block = codes[b], blocks[b]
        for i in range(32):
            high = np.uint8(0)
            for j in range(8):
                high |= np.uint8(code[32 * j + i] >> np.uint8(4) << np.uint8(j))
            block[_CODES + i] = np.uint8(high)
        for j in range(4):
            for i in range(32):
                low = code[64 * j + i] & np.uint8(15)
                block[_CODES + _HIGH_BITS + 32 * j + i] = np.uint8(low | (code[64 * j + 32 + i] << np.uint8(4)))


@kernel
def _scale(block: Any, j: Any) -> np.float32:
    """The scale of a row, as a whole number."""
    if j < 4:
        return np.float32(block[_SCALES + j] & np.uint8(63))
    return np.float32((block[_SCALES + 4 + j] & np.uint8(15)) | (block[_SCALES + j - 4] >> np.uint8(6) << np.uint8(4)))


@kernel
def _low(block: Any, j: Any) -> np.float32:
    """The smallest value of a row, as a whole number."""
    if j < 4:
        return np.float32(block[_SCALES + 4 + j] & np.uint8(63))
    return np.float32((block[_SCALES + 4 + j] >> np.uint8(4)) | (block[_SCALES + j] >> np.uint8(6) << np.uint8(4)))


@kernel
def decode_q4(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        largest, largest_low = float16_at(block, 0), float16_at(block, 2)
        for j in range(8):
            scale, low = largest * _scale(block, j), largest_low * _low(block, j)
            first, shift = _CODES + 32 * (j // 2), np.uint8(4 * (j % 2))
            for i in range(32):
                row[32 * j + i] = scale * np.float32((block[first + i] >> shift) & np.uint8(15)) - low


@kernel
def decode_q5(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        largest, largest_low = float16_at(block, 0), float16_at(block, 2)
        for j in range(8):
            scale, low = largest * _scale(block, j), largest_low * _low(block, j)
            first, shift = _CODES + _HIGH_BITS + 32 * (j // 2), np.uint8(4 * (j % 2))
            for i in range(32):
                high = (block[_CODES + i] >> np.uint8(j)) & np.uint8(1)
                code = ((block[first + i] >> shift) & np.uint8(15)) | (high << np.uint8(4))
                row[32 * j + i] = scale * np.float32(code) - low
