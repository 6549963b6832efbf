"""The values of blocks of 32 behind one float16 scale, in some types with a smallest value beside it.

Where it is faster a loop asks the row for its length: one of a fixed length is unrolled before it could be vectorized.
"""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml.float16 import float16_at
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows


@kernel
def decode_q8_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_at(block, 0)
        for i in range(row.size):
            row[i] = np.float32(np.int8(block[2 + i])) * scale


@kernel
def decode_q4_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_at(block, 0)
        for i in range(row.size // 2):
            row[i] = np.float32(np.int32(block[2 + i] & np.uint8(15)) - np.int32(8)) * scale
            row[i + 16] = np.float32(np.int32(block[2 + i] >> np.uint8(4)) - np.int32(8)) * scale


@kernel
def decode_q4_1(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale, low = float16_at(block, 0), float16_at(block, 2)
        for i in range(row.size // 2):
            row[i] = np.float32(np.int32(block[4 + i] & np.uint8(15))) * scale + low
            row[i + 16] = np.float32(np.int32(block[4 + i] >> np.uint8(4))) * scale + low


@kernel
def decode_q5_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    codes = np.empty(32, np.int32)
    for b in range(len(blocks)):
        row, scale = out[b], float16_at(blocks[b], 0)
        _unpack(blocks[b], 2, codes)
        for i in range(32):
            row[i] = np.float32(np.int32(codes[i] - np.int32(16))) * scale


@kernel
def decode_q5_1(blocks: Uint8Rows, out: Float32Rows) -> None:
    codes = np.empty(32, np.int32)
    for b in range(len(blocks)):
        row, scale, low = out[b], float16_at(blocks[b], 0), float16_at(blocks[b], 2)
        _unpack(blocks[b], 4, codes)
        for i in range(32):
            row[i] = np.float32(codes[i]) * scale + low


@kernel
def _unpack(block: Any, at: Any, codes: Any) -> None:
    """Codes of 5 bits."""
    high = np.uint32(0)
    for i in range(4):
        high |= np.uint32(np.uint32(block[at + i]) << np.uint32(8 * i))
    for i in range(16):
        low, fifth = np.int32(block[at + 4 + i]), np.int32((high >> np.uint32(i)) & np.uint32(1))
        other = np.int32((high >> np.uint32(i + 16)) & np.uint32(1))
        codes[i] = np.int32((low & np.int32(15)) | np.int32(fifth << np.int32(4)))
        codes[i + 16] = np.int32((low >> np.int32(4)) | np.int32(other << np.int32(4)))
