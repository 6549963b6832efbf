"""Blocks of 32 values behind one float16 scale, in some types with a smallest value beside it: Q8_0 to Q4_0.

Without an importance a block's largest values give its scale, with one the least error does. Codes of 5 bits keep
their fifth bits apart from the others.
"""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.ggml import affine, symmetric, weights
from lineal.checkpoint.codes.ggml.encoding import Encoding
from lineal.checkpoint.codes.ggml.float16 import put_float16
from lineal.checkpoint.codes.ggml.rounding import multiply_add
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows, Uint32Rows


def encode_q8_0(values: Any, blocks: Any, _: Encoding) -> None:
    """The same with an importance, and in every build."""
    _encode_q8_0(values, values.view(np.uint32), blocks)


def encode_q4_0(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_q4_0(values, values.view(np.uint32), blocks, encoding.fused)
    else:
        scales, codes = symmetric.search(values, _weights(values, encoding), 8, encoding.fused)
        _write_found(np.stack([scales]), codes, blocks, False)


def encode_q5_0(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_q5_0(values, values.view(np.uint32), blocks, encoding.fused)
    else:
        scales, codes = symmetric.search(values, _weights(values, encoding), 16, encoding.fused)
        _write_found(np.stack([scales]), codes, blocks, True)


def encode_q4_1(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_q4_1(values, blocks, encoding.fused)
    else:
        weight = _weights(values, encoding)
        _write_found(*affine.search(values, weight, affine.weighted(15), encoding.fused), blocks, False)


def encode_q5_1(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_q5_1(values, blocks, encoding.fused)
    else:
        weight = _weights(values, encoding)
        _write_found(*affine.search(values, weight, affine.weighted(31), encoding.fused), blocks, True)


def _weights(values: Any, encoding: Encoding) -> Any:
    """Here whole rows of a matrix are looked at."""
    columns = np.size(encoding.importance)
    return weights.of_importance(values.reshape(-1, columns), encoding, columns).reshape(-1, 32)


@kernel
def _encode_q8_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows) -> None:
    for b in range(len(blocks)):
        row, row_bits, block = values[b], bits[b], blocks[b]
        largest = np.uint32(0)
        for i in range(32):
            largest = max(largest, np.uint32(row_bits[i] & np.uint32(0x7FFFFFFF)))
        scale = np.uint32(largest).view(np.float32) / np.float32(127)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        put_float16(scale, block, 0)
        for i in range(32):
            scaled = row[i] * inverse
            size = abs(scaled)
            inside = size if size < np.float32(128) else np.float32(0)  # not where the scale or a value is no number
            whole = np.int32(inside)
            code = whole + np.int32(inside - np.float32(whole) >= np.float32(0.5))
            block[2 + i] = np.uint8(code if scaled >= np.float32(0) else -code)


@kernel
def _encode_q4_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows, fused: bool) -> None:
    if fused:
        _by_largest(values, bits, blocks, 8, None, True)
    else:
        _by_largest(values, bits, blocks, 8, None, None)


@kernel
def _encode_q5_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows, fused: bool) -> None:
    if fused:
        _by_largest(values, bits, blocks, 16, True, True)
    else:
        _by_largest(values, bits, blocks, 16, True, None)


@kernel
def _encode_q4_1(values: Float32Rows, blocks: Uint8Rows, fused: bool) -> None:
    if fused:
        _by_range(values, blocks, 15, None, True)
    else:
        _by_range(values, blocks, 15, None, None)


@kernel
def _encode_q5_1(values: Float32Rows, blocks: Uint8Rows, fused: bool) -> None:
    if fused:
        _by_range(values, blocks, 31, True, True)
    else:
        _by_range(values, blocks, 31, True, None)


@kernel
def _by_largest(values: Any, bits: Any, blocks: Any, top: Any, fifth: Any, fused: Any) -> None:
    codes, middle = np.empty(32, np.int32), np.float32(top) + np.float32(0.5)
    for b in range(len(blocks)):
        row, row_bits, block = values[b], bits[b], blocks[b]
        scale = _largest(row_bits) / np.float32(-top)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        put_float16(scale, block, 0)
        if _are_numbers(scale, inverse):
            for i in range(32):
                code = np.int32(multiply_add(row[i], inverse, middle, fused))
                codes[i] = min(code, np.int32(2 * top - 1))
        else:
            for i in range(32):
                codes[i] = np.int32(0)
        _pack(codes, block, 2, fifth)


@kernel
def _largest(bits: Any) -> np.float32:
    """The first value of the largest magnitude."""
    magnitude, positive, negative, first = np.uint32(0), np.int32(0), np.uint32(0), 0
    for i in range(32):
        magnitude = max(magnitude, np.uint32(bits[i] & np.uint32(0x7FFFFFFF)))
        positive, negative = max(positive, np.int32(bits[i])), max(negative, np.uint32(bits[i]))
    is_positive = np.uint32(positive) == magnitude
    if is_positive and negative == np.uint32(magnitude | np.uint32(0x80000000)):
        while np.uint32(bits[first] & np.uint32(0x7FFFFFFF)) != magnitude:
            first += 1
        return np.uint32(bits[first]).view(np.float32)
    return np.uint32(magnitude if is_positive else negative).view(np.float32)


@kernel
def _are_numbers(scale: Any, inverse: Any) -> bool:
    """Whether both are finite; a block of which they are not has no codes but 0."""
    return abs(scale) < np.float32(np.inf) and abs(inverse) < np.float32(np.inf)


@kernel
def _by_range(values: Any, blocks: Any, top: Any, fifth: Any, fused: Any) -> None:
    codes = np.empty(32, np.int32)
    for b in range(len(blocks)):
        row, block = values[b], blocks[b]
        low, high = row[0], row[0]
        for i in range(32):
            low = min(low, row[i])
            high = max(high, row[i])
        scale = (high - low) / np.float32(top)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        put_float16(scale, block, 0)
        put_float16(low, block, 2)
        if _are_numbers(scale, inverse):
            for i in range(32):
                code = np.int32(multiply_add(row[i] - low, inverse, np.float32(0.5), fused))
                codes[i] = min(code, np.int32(top))
        else:
            for i in range(32):
                codes[i] = np.int32(0)
        _pack(codes, block, 4, fifth)


@kernel
def _pack(codes: Any, block: Any, at: Any, fifth: Any) -> None:
    if fifth is not None:
        high = np.uint32(0)
        for i in range(32):
            high |= np.uint32(np.uint32(codes[i] >> np.int32(4)) << np.uint32(i))
        for i in range(4):
            block[at + i] = np.uint8((high >> np.uint32(8 * i)) & np.uint32(0xFF))
        at += 4
    for i in range(16):
        block[at + i] = np.uint8((codes[i] & np.int32(15)) | (codes[i + 16] << np.int32(4)))


@kernel
def _write_found(found: Float32Rows, codes: Uint8Rows, blocks: Uint8Rows, is_five: bool) -> None:
    """What a search found: scales, and, if there are more rows than that, smallest values negated."""
    has_low, row = len(found) > 1, np.empty(32, np.int32)
    at = 4 if has_low else 2
    for b in range(len(blocks)):
        put_float16(found[0, b], blocks[b], 0)
        if has_low:
            put_float16(-found[1, b], blocks[b], 2)
        for i in range(32):
            row[i] = np.int32(codes[b, i])
        if is_five:
            _pack(row, blocks[b], at, True)
        else:
            _pack(row, blocks[b], at, None)
