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
from lineal.errors import CheckpointError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows, Uint32Rows


def encode_q8_0(values: Any, blocks: Any, _: Encoding) -> None:
    """The same with an importance, and in every build."""
    _encode_q8_0(values, values.view(np.uint32), blocks)


def encode_q4_0(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_by_largest(values, values.view(np.uint32), blocks, 8, encoding.fused)
    else:
        scales, codes = symmetric.search(values, _weights(values, encoding), 8, encoding.fused)
        _write_searched(values, np.stack([scales]), codes, blocks, "Q4_0")


def encode_q5_0(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_by_largest(values, values.view(np.uint32), blocks, 16, encoding.fused)
    else:
        scales, codes = symmetric.search(values, _weights(values, encoding), 16, encoding.fused)
        _write_searched(values, np.stack([scales]), codes, blocks, "Q5_0")


def encode_q4_1(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_by_range(values, values.view(np.uint32), blocks, 15, encoding.fused)
    else:
        weight = _weights(values, encoding)
        found, codes = affine.search(values, weight, affine.weighted(15), encoding.fused)
        _write_searched(values, found[:2], codes, blocks, "Q4_1")


def encode_q5_1(values: Any, blocks: Any, encoding: Encoding) -> None:
    if encoding.importance is None:
        _encode_by_range(values, values.view(np.uint32), blocks, 31, encoding.fused)
    else:
        weight = _weights(values, encoding)
        found, codes = affine.search(values, weight, affine.weighted(31), encoding.fused)
        _write_searched(values, found[:2], codes, blocks, "Q5_1")


def _weights(values: Any, encoding: Encoding) -> Any:
    """Here whole rows of a matrix are looked at."""
    columns = 0 if encoding.importance is None else encoding.importance.size
    return weights.of_importance(values.reshape(-1, columns), encoding, columns).reshape(-1, 32)


def _write_searched(values: Any, found: Any, codes: Any, blocks: Any, dtype: str) -> None:
    """What a search found may be too large for a float16 where the values' own range is not."""
    if (abs(found) >= 65520).any() and np.isfinite(values).all():
        raise CheckpointError(f"values are too large for {dtype} with the importance that their columns have")
    _write_found(found, codes, blocks, dtype.startswith("Q5"))


@kernel
def _encode_q8_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows) -> None:
    """The scales of all blocks first: side by side, their divisions take half the time."""
    scales, inverses = np.empty(len(blocks), np.float32), np.empty(len(blocks), np.float32)
    for b in range(len(blocks)):
        largest = np.uint32(0)
        for i in range(bits.shape[1]):
            largest = max(largest, np.uint32(bits[b, i] & np.uint32(0x7FFFFFFF)))
        scales[b] = np.uint32(largest).view(np.float32)
    for b in range(len(blocks)):
        scale = scales[b] / np.float32(127)
        inverse = np.float32(1) / scale
        scales[b], inverses[b] = scale, inverse if _are_numbers(scale, inverse) else np.float32(0)
    for b in range(len(blocks)):
        inverse = inverses[b]
        put_float16(scales[b], blocks, b, 0)
        for i in range(values.shape[1]):
            scaled = values[b, i] * inverse
            inside = scaled if abs(scaled) < np.float32(128) else np.float32(0)  # not where a value is no number
            whole = np.int32(inside)
            rest = np.float32(inside - np.float32(whole))
            away = np.int32(np.int32(rest >= np.float32(0.5)) - np.int32(rest <= np.float32(-0.5)))
            blocks[b, 2 + i] = np.uint8(np.int32(whole + away))


@kernel
def _encode_by_largest(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows, top: int, fused: bool) -> None:
    if fused:
        _by_largest(values, bits, blocks, np.int32(top), True)
    else:
        _by_largest(values, bits, blocks, np.int32(top), None)


@kernel
def _encode_by_range(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows, top: int, fused: bool) -> None:
    if fused:
        _by_range(values, bits, blocks, np.int32(top), True)
    else:
        _by_range(values, bits, blocks, np.int32(top), None)


@kernel
def _by_largest(values: Any, bits: Any, blocks: Any, top: Any, fused: Any) -> None:
    codes, middle = np.empty(32, np.uint8), np.float32(top) + np.float32(0.5)
    highest = np.int32(top + top - np.int32(1))
    eights = codes.view(np.uint64)
    for b in range(len(blocks)):
        turned, positive = np.uint32(0), np.int32(0)  # the sign last, so that a negative one comes before its equal
        for i in range(bits.shape[1]):
            turned = max(turned, np.uint32((bits[b, i] << np.uint32(1)) | (bits[b, i] >> np.uint32(31))))
            positive = max(positive, np.int32(bits[b, i]))
        largest = np.uint32(np.uint32(turned >> np.uint32(1)) | np.uint32(turned << np.uint32(31)))
        if (turned & np.uint32(1)) and np.uint32(positive) == np.uint32(turned >> np.uint32(1)):
            largest = _first(bits, b, np.uint32(positive))
        scale = np.uint32(largest).view(np.float32) / np.float32(-top)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        put_float16(scale, blocks, b, 0)
        if _are_numbers(scale, inverse):
            for i in range(values.shape[1]):
                code = np.int32(multiply_add(values[b, i], inverse, middle, fused))
                codes[i] = np.uint8(min(code, highest))
        else:
            codes[:] = np.uint8(0)
        _pack(eights, blocks, b, 2, top == 16)


@kernel
def _first(bits: Any, b: Any, magnitude: Any) -> np.uint32:
    """Of the values of a magnitude the first one's bits."""
    first = 0
    while np.uint32(bits[b, first] & np.uint32(0x7FFFFFFF)) != magnitude:
        first += 1
    return np.uint32(bits[b, first])


@kernel
def _by_range(values: Any, bits: Any, blocks: Any, top: Any, fused: Any) -> None:
    codes = np.empty(32, np.uint8)
    eights = codes.view(np.uint64)
    for b in range(len(blocks)):
        lowest, highest = np.int32(0x7FFFFFFF), np.int32(-0x80000000)
        for i in range(bits.shape[1]):
            ordered = np.int32(_ordered(np.int32(bits[b, i])))
            lowest, highest = min(lowest, ordered), max(highest, ordered)
        low = np.int32(_ordered(lowest)).view(np.float32)
        high = np.int32(_ordered(highest)).view(np.float32)
        if low == np.float32(0):
            low = np.uint32(_first(bits, b, np.uint32(0))).view(np.float32)
        scale = (high - low) / np.float32(top)
        inverse = np.float32(1) / scale if scale != np.float32(0) else np.float32(0)
        put_float16(scale, blocks, b, 0)
        put_float16(low, blocks, b, 2)
        if _are_numbers(scale, inverse):
            for i in range(32):
                code = np.int32(multiply_add(values[b, i] - low, inverse, np.float32(0.5), fused))
                codes[i] = np.uint8(min(code, top))
        else:
            codes[:] = np.uint8(0)
        _pack(eights, blocks, b, 4, top == 31)


@kernel
def _ordered(bits: Any) -> np.int32:
    """Whole numbers in the order of the values whose bits they were made of, and the other way around."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel
def _are_numbers(scale: Any, inverse: Any) -> bool:
    """Whether both are finite; a block of which they are not has no codes but 0."""
    return abs(scale) < np.float32(np.inf) and abs(inverse) < np.float32(np.inf)


@kernel
def _pack(eights: Any, blocks: Any, b: Any, at: Any, is_five: Any) -> None:
    """Codes, eight in each number. is_five: they have 5 bits, the fifth of which stand before all."""
    if is_five:
        for j in range(4):
            bits = (eights[j] >> np.uint64(4)) & np.uint64(0x0101010101010101)
            blocks[b, at + j] = np.uint8((bits * np.uint64(0x0102040810204080)) >> np.uint64(56))
        at += 4
    for j in range(2):
        low, high = eights[j] & np.uint64(0x0F0F0F0F0F0F0F0F), eights[j + 2] & np.uint64(0x0F0F0F0F0F0F0F0F)
        packed = low | (high << np.uint64(4))
        for i in range(8):
            blocks[b, at + 8 * j + i] = np.uint8(packed >> np.uint64(8 * i))


@kernel
def _write_found(found: Float32Rows, codes: Uint8Rows, blocks: Uint8Rows, is_five: bool) -> None:
    """What a search found: scales, and, if there are more rows than that, smallest values negated."""
    has_low, at = len(found) > 1, 4 if len(found) > 1 else 2
    eights = codes.view(np.uint64)
    for b in range(len(blocks)):
        put_float16(found[0, b], blocks, b, 0)
        if has_low:
            put_float16(-found[1, b], blocks, b, 2)
        _pack(eights[b], blocks, b, at, is_five)
