"""IQ4_NL and IQ4_XS: rows of 32 values behind a scale, and 4 bit codes of unequal distances.

In IQ4_NL a row is a block with a float16 scale; IQ4_XS has 8 rows with scales of 6 bits, and a float16 for those.
"""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml import nonlinear, weights
from lineal.checkpoint.codes.ggml.block_scales import rounded_product
from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.float16 import float16_at, put_float16
from lineal.checkpoint.codes.ggml.nonlinear import LEVELS, nearest_level
from lineal.checkpoint.codes.ggml.rounding import within
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint8Rows

_HIGH_SCALES, _LOW_SCALES, _CODES = 2, 4, 8
"""Where they lie in a block of IQ4_XS, behind its float16."""


def encode_nl(values: Any, blocks: Any, encoding: Encoding) -> None:
    _write_nl(values, nonlinear.search(values, _weights(values, encoding, 16), encoding.fused), blocks)


def encode_xs(values: Any, blocks: Any, encoding: Encoding) -> None:
    weight = _weights(values, encoding, 128).reshape(-1, 32)
    scales = nonlinear.search(values.reshape(-1, 32), weight, encoding.fused)
    _write_xs(values, scales.reshape(-1, 8), blocks, encoding.fused)


def _weights(values: Any, encoding: Encoding, divisor: int) -> Any:
    if encoding.importance is not None:
        return weights.of_importance(values, encoding, divisor)
    weight = np.empty(values.shape, np.float32)
    weights.squares(values, weight)
    return weight


@kernel
def _pack(row: Any, inverse: Any, block: Any, at: Any) -> None:
    for i in range(16):
        low, high = nearest_level(inverse * row[i]), nearest_level(inverse * row[i + 16])
        block[at + i] = np.uint8(low | (high << np.int32(4)))


@kernel
def _write_nl(values: Float32Rows, scales: Float32s, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        scale = scales[b]
        put_float16(scale, blocks, b, 0)
        _pack(values[b], np.float32(1) / scale if scale != np.float32(0) else np.float32(0), blocks[b], 2)


@kernel
def _write_xs(values: Float32Rows, scales: Float32Rows, blocks: Uint8Rows, fused: bool) -> None:
    for b in range(len(blocks)):
        row, block = values[b], blocks[b]
        magnitude, largest = np.float32(0), np.float32(0)
        for j in range(8):
            if abs(scales[b, j]) > magnitude:
                magnitude, largest = abs(scales[b, j]), scales[b, j]
        step = -largest / np.float32(32)
        put_float16(step, blocks, b, 0)
        inverse = np.float32(1) / step if step != np.float32(0) else np.float32(0)
        high = np.int32(0)
        for j in range(8):
            whole = within(rounded_product(inverse, scales[b, j], fused), -32, 31)
            scale = step * np.float32(whole)
            row_inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
            _pack(row[32 * j : 32 * j + 32], row_inverse, block, _CODES + 16 * j)
            code = np.int32(whole + np.int32(32))
            low = np.int32(block[_LOW_SCALES + j // 2]) if j % 2 else np.int32(0)
            block[_LOW_SCALES + j // 2] = np.uint8(low | ((code & np.int32(15)) << np.int32(4 * (j % 2))))
            high |= np.int32((code >> np.int32(4)) << np.int32(2 * j))
        block[_HIGH_SCALES], block[_HIGH_SCALES + 1] = np.uint8(high & 255), np.uint8(high >> 8)


@kernel
def _unpack(block: Any, at: Any, scale: Any, levels: Any, out: Any) -> None:
    for i in range(16):
        out[i] = scale * levels[block[at + i] & np.uint8(15)]
        out[i + 16] = scale * levels[block[at + i] >> np.uint8(4)]


@kernel
def _levels() -> Any:
    levels = np.empty(16, np.float32)
    for j in range(16):
        levels[j] = np.float32(LEVELS[j])
    return levels


@kernel
def decode_nl(blocks: Uint8Rows, out: Float32Rows) -> None:
    levels = _levels()
    for b in range(len(blocks)):
        _unpack(blocks[b], 2, float16_at(blocks[b], 0), levels, out[b])


@kernel
def decode_xs(blocks: Uint8Rows, out: Float32Rows) -> None:
    levels = _levels()
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        high = np.int32(block[_HIGH_SCALES]) | (np.int32(block[_HIGH_SCALES + 1]) << np.int32(8))
        for j in range(8):
            low = np.int32(block[_LOW_SCALES + j // 2] >> np.uint8(4 * (j % 2))) & np.int32(15)
            whole = np.int32((low | (((high >> np.int32(2 * j)) & np.int32(3)) << np.int32(4))) - np.int32(32))
            scale = float16_at(block, 0) * np.float32(np.int32(whole))
            _unpack(block, _CODES + 16 * j, scale, levels, row[32 * j : 32 * j + 32])
