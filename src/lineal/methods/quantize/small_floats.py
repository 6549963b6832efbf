"""Weights as floats of eight and four bits times scales: float8 (E4M3), and E2M1 as NVFP4 and MXFP4 have it.

Values are rounded to nearest, ties to even, as the Open Compute Project's specifications of OFP8 and MX say; what is
too large becomes the largest finite value.
"""

from typing import Any, Final, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Int32Rows, Uint8Rows

Float32: TypeAlias = NDArray[np.float32]
Uint8: TypeAlias = NDArray[np.uint8]

E4M3_LARGEST: Final = np.float32(448)
E2M1_LARGEST: Final = np.float32(6)

_E4M3_SUBNORMAL, _E4M3_MAGIC = np.float32(2.0**-6), np.float32(2.0**14)
_E2M1_SUBNORMAL, _E2M1_MAGIC = np.float32(1), np.float32(2.0**22)
"""Below the first, steps are as wide as those of float32 from the second on."""


def largest_magnitudes(values: Float32, tall: int, wide: int) -> Float32:
    """Of each block of so many rows and columns of [rows, columns], whose last blocks may be smaller.

    Of values that are no numbers it is none; NaN above Inf, as magnitudes compare as their bits do.
    """
    rows, columns = values.shape
    largest = np.zeros((-(-rows // tall), -(-columns // wide)), np.float32)
    _find_largest(np.ascontiguousarray(values).view(np.int32), tall, wide, largest.view(np.int32))
    return largest


def to_e4m3(values: Float32, scales: Float32, tall: int, wide: int, stored: Float32 | None = None) -> Uint8:
    """The codes of values / scale, [rows, columns]; scales: of each block. stored: is filled with code * scale."""
    codes, room = _room(values, stored)
    _to_e4m3(np.ascontiguousarray(values), scales, tall, wide, codes, room, stored is not None)
    return codes


def to_e2m1(values: Float32, scales: Float32, wide: int, stored: Float32 | None = None) -> Uint8:
    """The codes of values / scale, 0 to 15, [rows, columns]; scales: of each row's groups of so many columns."""
    codes, room = _room(values, stored)
    _to_e2m1(np.ascontiguousarray(values), scales, wide, codes, room, stored is not None)
    return codes


def rounded_to_e4m3(scales: Float32) -> Float32:
    """Positive numbers as float8 has them, the largest finite one for all above."""
    clamped = np.minimum(scales, E4M3_LARGEST)
    return clamped.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)


def powers_of_two(largest: Float32) -> Float32:
    """MXFP4's scales: the power of two by which a group's largest magnitude becomes 4 to 7, rounded as 1.75 is to 2.

    2^-127 to 2^127 only. Of what is not finite none is.
    """
    bits = largest.view(np.uint32)
    exponents = np.clip(
        (((bits + np.uint32(0x200000)) >> np.uint32(23)) & np.uint32(0xFF)).astype(np.int32) - 2, 0, 254
    )
    powers = np.ldexp(np.float32(1), exponents - 127).astype(np.float32)
    return np.where(np.isfinite(largest), powers, np.float32(np.nan))


def _room(values: Float32, stored: Float32 | None) -> tuple[Uint8, Float32]:
    """For codes, and for what they are worth where that is asked for."""
    codes = np.empty(values.shape, np.uint8)
    return codes, np.empty((0, 0), np.float32) if stored is None else stored.reshape(values.shape)


@kernel
def _find_largest(bits: Int32Rows, tall: int, wide: int, largest: Int32Rows) -> None:
    for r in range(len(bits)):
        for b in range(largest.shape[1]):
            group, found = bits[r][b * wide : (b + 1) * wide], np.int32(largest[r // tall, b])
            for i in range(group.size):
                found = max(found, np.int32(group[i] & np.int32(0x7FFFFFFF)))
            largest[r // tall, b] = found


@kernel
def _to_e4m3(
    values: Float32Rows, scales: Float32Rows, tall: int, wide: int, codes: Uint8Rows, stored: Float32Rows, kept: bool
) -> None:
    for r in range(len(values)):
        for b in range(scales.shape[1]):
            group, out = values[r][b * wide : (b + 1) * wide], codes[r][b * wide : (b + 1) * wide]
            scale = scales[r // tall, b]
            for i in range(group.size):
                out[i] = np.uint8(_e4m3(np.float32(group[i] / scale)))
            if kept:
                worth = stored[r][b * wide : (b + 1) * wide]
                for i in range(group.size):
                    worth[i] = _of_e4m3(np.uint32(out[i])) * scale


@kernel
def _to_e2m1(
    values: Float32Rows, scales: Float32Rows, wide: int, codes: Uint8Rows, stored: Float32Rows, kept: bool
) -> None:
    for r in range(len(values)):
        for b in range(scales.shape[1]):
            group, out = values[r][b * wide : (b + 1) * wide], codes[r][b * wide : (b + 1) * wide]
            scale = scales[r, b]
            for i in range(group.size):
                out[i] = np.uint8(_e2m1(np.float32(group[i] / scale)))
            if kept:
                worth = stored[r][b * wide : (b + 1) * wide]
                for i in range(group.size):
                    worth[i] = _of_e2m1(np.uint32(out[i])) * scale


@kernel
def _e4m3(value: Any) -> np.uint32:
    bits = np.float32(value).view(np.uint32)
    magnitude = min(np.uint32(bits & np.uint32(0x7FFFFFFF)), np.uint32(0x43E00000))  # 448
    odd = np.uint32(magnitude >> np.uint32(20)) & np.uint32(1)
    normal = np.uint32(np.uint32(magnitude + np.uint32(0x7FFFF) + odd) >> np.uint32(20)) - np.uint32(120 << 3)
    shifted = np.float32(np.uint32(magnitude).view(np.float32) + _E4M3_MAGIC)
    small = np.uint32(shifted.view(np.uint32)) - np.uint32(0x46800000)
    code = small if magnitude < np.uint32(0x3C800000) else normal  # 2^-6
    return np.uint32(code | np.uint32(np.uint32(bits >> np.uint32(24)) & np.uint32(0x80)))


@kernel
def _of_e4m3(code: Any) -> np.float32:
    magnitude = np.uint32(code & np.uint32(0x7F))
    normal = np.uint32(np.uint32(magnitude << np.uint32(20)) + np.uint32(120 << 23)).view(np.float32)
    small = np.float32(np.uint32(magnitude + np.uint32(0x46800000)).view(np.float32) - _E4M3_MAGIC)
    value = small if magnitude < np.uint32(8) else normal
    sign = np.uint32(np.uint32(code & np.uint32(0x80)) << np.uint32(24))
    return np.uint32(np.float32(value).view(np.uint32) | sign).view(np.float32)


@kernel
def _e2m1(value: Any) -> np.uint32:
    bits = np.float32(value).view(np.uint32)
    magnitude = min(np.uint32(bits & np.uint32(0x7FFFFFFF)), np.uint32(0x40C00000))  # 6
    odd = np.uint32(magnitude >> np.uint32(22)) & np.uint32(1)
    normal = np.uint32(np.uint32(magnitude + np.uint32(0x1FFFFF) + odd) >> np.uint32(22)) - np.uint32(126 << 1)
    shifted = np.float32(np.uint32(magnitude).view(np.float32) + _E2M1_MAGIC)
    small = np.uint32(shifted.view(np.uint32)) - np.uint32(0x4A800000)
    code = small if magnitude < np.uint32(0x3F800000) else normal  # 1
    return np.uint32(code | np.uint32(np.uint32(bits >> np.uint32(28)) & np.uint32(8)))


@kernel
def _of_e2m1(code: Any) -> np.float32:
    magnitude = np.uint32(code & np.uint32(7))
    normal = np.uint32(np.uint32(magnitude << np.uint32(22)) + np.uint32(126 << 23)).view(np.float32)
    small = np.float32(np.uint32(magnitude + np.uint32(0x4A800000)).view(np.float32) - _E2M1_MAGIC)
    value = small if magnitude < np.uint32(2) else normal
    sign = np.uint32(np.uint32(code & np.uint32(8)) << np.uint32(28))
    return np.uint32(np.float32(value).view(np.uint32) | sign).view(np.float32)
