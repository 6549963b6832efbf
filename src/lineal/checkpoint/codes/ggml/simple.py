"""Blocks of 32 values behind one float16 scale, in some types with a smallest value beside it."""

import numpy as np

from lineal.checkpoint.codes.ggml.float16 import float16_bits, float16_value
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows, Uint32Rows


@kernel
def encode_q8_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        row, row_bits, block = values[b], bits[b], blocks[b]
        largest = np.uint32(0)
        for i in range(32):
            largest = max(largest, np.uint32(row_bits[i] & np.uint32(0x7FFFFFFF)))
        scale = np.uint32(largest).view(np.float32) / np.float32(127)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        half = float16_bits(scale)
        block[0], block[1] = np.uint8(half & np.uint32(0xFF)), np.uint8(half >> np.uint32(8))
        for i in range(32):
            scaled = row[i] * inverse
            size = abs(scaled)
            inside = size if size < np.float32(128) else np.float32(0)  # not where the scale or a value is no number
            whole = np.int32(inside)
            code = whole + np.int32(inside - np.float32(whole) >= np.float32(0.5))
            block[2 + i] = np.uint8(code if scaled >= np.float32(0) else -code)


@kernel
def decode_q8_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_value(np.uint32(block[0]) | (np.uint32(block[1]) << np.uint32(8)))
        for i in range(32):
            row[i] = np.float32(np.int8(block[2 + i])) * scale


@kernel
def encode_q4_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        row, row_bits, block = values[b], bits[b], blocks[b]
        largest, first = np.uint32(0), 0
        for i in range(32):
            largest = max(largest, np.uint32(row_bits[i] & np.uint32(0x7FFFFFFF)))
        while np.uint32(row_bits[first] & np.uint32(0x7FFFFFFF)) != largest:
            first += 1
        scale = row[first] / np.float32(-8)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        half = float16_bits(scale)
        block[0], block[1] = np.uint8(half & np.uint32(0xFF)), np.uint8(half >> np.uint32(8))
        for i in range(16):
            low, high = row[i] * inverse + np.float32(8.5), row[i + 16] * inverse + np.float32(8.5)
            low_inside = low if low < np.float32(17) else np.float32(0)  # not where the scale or a value is no number
            high_inside = high if high < np.float32(17) else np.float32(0)
            block[2 + i] = np.uint8(
                min(np.int32(low_inside), np.int32(15)) | (min(np.int32(high_inside), np.int32(15)) << np.int32(4))
            )


@kernel
def decode_q4_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_value(np.uint32(block[0]) | (np.uint32(block[1]) << np.uint32(8)))
        for i in range(16):
            row[i] = np.float32(np.int32(block[2 + i] & np.uint8(15)) - np.int32(8)) * scale
            row[i + 16] = np.float32(np.int32(block[2 + i] >> np.uint8(4)) - np.int32(8)) * scale


@kernel
def decode_q4_1(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_value(np.uint32(block[0]) | (np.uint32(block[1]) << np.uint32(8)))
        smallest = float16_value(np.uint32(block[2]) | (np.uint32(block[3]) << np.uint32(8)))
        for i in range(16):
            row[i] = np.float32(np.int32(block[4 + i] & np.uint8(15))) * scale + smallest
            row[i + 16] = np.float32(np.int32(block[4 + i] >> np.uint8(4))) * scale + smallest
