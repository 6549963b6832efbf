"""ggml's block types Q8_0 and Q4_0: 32 values behind one float16 scale, bit for bit as gguf-py writes and reads them.

Of Q4_1, with a smallest value beside its scale, the reading half.
Source: ggml-common.h, and quantize_row_q8_0_ref and quantize_row_q4_0_ref in ggml-quants.c of llama.cpp.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.storage import BLOCKS
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Uint8Rows, Uint32Rows

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]


def encode_blocks(values: Float32, dtype: str, raw: Raw) -> None:
    """Write values as whole blocks of `dtype`."""
    each = BLOCKS[dtype][0]
    CODECS[dtype].encode(values.reshape(-1, each), values.view(np.uint32).reshape(-1, each), _blocks(raw, dtype))


def decode_blocks(raw: Raw, dtype: str, out: Float32) -> None:
    """Write the values of whole blocks of `dtype` into `out`."""
    CODECS[dtype].decode(_blocks(raw, dtype), out.reshape(-1, BLOCKS[dtype][0]))


def _blocks(raw: Raw, dtype: str) -> Raw:
    return raw.reshape(-1, BLOCKS[dtype][1])


@kernel
def float16_bits(value: np.float32) -> np.uint32:
    """The bits of a float32 as float16, rounded to nearest, ties to even."""
    bits = np.float32(value).view(np.uint32)
    sign, magnitude = (bits >> np.uint32(16)) & np.uint32(0x8000), np.uint32(bits & np.uint32(0x7FFFFFFF))
    if magnitude > np.uint32(0x7F800000):
        return np.uint32(0x7E00)
    if magnitude >= np.uint32(0x477FF000):  # 65520, halfway between the largest float16 and the next
        return sign | np.uint32(0x7C00)
    if magnitude < np.uint32(0x38800000):  # below 2^-14 steps are 2^-24, as float32's are in [0.5, 1)
        shifted = np.uint32(magnitude).view(np.float32) + np.float32(0.5)
        return sign | (np.float32(shifted).view(np.uint32) - np.uint32(0x3F000000))
    odd = (magnitude >> np.uint32(13)) & np.uint32(1)
    return sign | ((magnitude - np.uint32(0x38000000) + np.uint32(0xFFF) + odd) >> np.uint32(13))


@kernel
def float16_value(half: np.uint32) -> np.float32:
    """The float32 with the value of a float16's bits."""
    sign, exponent, fraction = half & np.uint32(0x8000), half & np.uint32(0x7C00), half & np.uint32(0x3FF)
    if exponent == np.uint32(0):
        small = np.float32(fraction) * np.float32(2.0**-24)
        return -small if sign else small
    top = (
        np.uint32(0x7F800000) if exponent == np.uint32(0x7C00) else (exponent << np.uint32(13)) + np.uint32(0x38000000)
    )
    return np.uint32((sign << np.uint32(16)) | top | (fraction << np.uint32(13))).view(np.float32)


@kernel
def _encode_q8_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows) -> None:
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
def _decode_q8_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_value(np.uint32(block[0]) | (np.uint32(block[1]) << np.uint32(8)))
        for i in range(32):
            row[i] = np.float32(np.int8(block[2 + i])) * scale


@kernel
def _encode_q4_0(values: Float32Rows, bits: Uint32Rows, blocks: Uint8Rows) -> None:
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
def _decode_q4_0(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_value(np.uint32(block[0]) | (np.uint32(block[1]) << np.uint32(8)))
        for i in range(16):
            row[i] = np.float32(np.int32(block[2 + i] & np.uint8(15)) - np.int32(8)) * scale
            row[i + 16] = np.float32(np.int32(block[2 + i] >> np.uint8(4)) - np.int32(8)) * scale


@kernel
def _decode_q4_1(blocks: Uint8Rows, out: Float32Rows) -> None:
    for b in range(len(blocks)):
        block, row = blocks[b], out[b]
        scale = float16_value(np.uint32(block[0]) | (np.uint32(block[1]) << np.uint32(8)))
        smallest = float16_value(np.uint32(block[2]) | (np.uint32(block[3]) << np.uint32(8)))
        for i in range(16):
            row[i] = np.float32(np.int32(block[4 + i] & np.uint8(15))) * scale + smallest
            row[i + 16] = np.float32(np.int32(block[4 + i] >> np.uint8(4))) * scale + smallest


@final
@dataclass(frozen=True)
class Codec:
    """Kernels over whole blocks. encode: None for what is only read; steps: of the scale, to the largest magnitude."""

    decode: Any
    encode: Any = None
    steps: int = 0


CODECS = {
    "Q8_0": Codec(_decode_q8_0, _encode_q8_0, steps=127),
    "Q4_0": Codec(_decode_q4_0, _encode_q4_0, steps=8),
    "Q4_1": Codec(_decode_q4_1),
}
"""The block types that are known here; every other is gguf-py's to decode. Their sizes: `QuantizationType`."""
BLOCK_DECODERS = frozenset(CODECS)
BLOCK_CODECS = frozenset(dtype for dtype, codec in CODECS.items() if codec.encode)
"""Those that can be computed with."""
