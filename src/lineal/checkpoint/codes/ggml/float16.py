"""float16, as the scales of blocks are stored, from float32 and back."""

from typing import Any

import numpy as np

from lineal.kernels.kernel import kernel


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
def put_float16(value: np.float32, blocks: Any, b: int, at: int) -> None:
    half = float16_bits(value)
    blocks[b, at], blocks[b, at + 1] = np.uint8(half & np.uint32(0xFF)), np.uint8(half >> np.uint32(8))


@kernel
def float16_at(block: Any, at: int) -> np.float32:
    return float16_value(np.uint32(block[at]) | (np.uint32(block[at + 1]) << np.uint32(8)))
