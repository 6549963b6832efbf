"""The values that small codes stand for: a table of them, one for each code, and streams of codes looked up in it.

Codes of so many bits follow each other from the lowest bit of the first byte on, across bytes without a gap. Words
of any size that are stored with their lowest byte first make the same stream.
"""

from functools import cache
from typing import Final, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Uint8s

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]

_FLOATS: Final = {
    "E2M1": ml_dtypes.float4_e2m1fn,
    "E2M3": ml_dtypes.float6_e2m3fn,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}
"""The OCP's small floats: https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf."""

INTEGERS, SIGNED = "integers", "signed"
"""Codes that are integers: with 2^(bits-1) added to each, or in two's complement."""


@cache
def values_of(kind: str, bits: int) -> Float32:
    """The value of each code, [2^bits] float32; kind: INTEGERS, SIGNED, or the name of a small float."""
    codes = np.arange(1 << bits)
    if kind == INTEGERS:
        return (codes - (1 << (bits - 1))).astype(np.float32)
    if kind == SIGNED:
        return ((codes ^ (1 << (bits - 1))) - (1 << (bits - 1))).astype(np.float32)
    return codes.astype(np.uint8).view(_FLOATS[kind]).astype(np.float32)


def look_up(raw: Raw, first: int, bits: int, values: Float32, out: Float32) -> None:
    """The values of codes, from the one numbered `first` in the stream on, into `out`."""
    if bits == 8:
        _bytes(raw[first:], values, out)
    elif bits == 4 and first % 2 == 0:
        _nibbles(raw[first // 2 :], _pairs(values.tobytes()), out)
    else:
        _stream(raw, first, bits, values, out)


@cache
def _pairs(values: bytes) -> Float32:
    """Both values of each byte that holds two codes, the lower first, [512]."""
    single = np.frombuffer(values, np.float32)
    return np.stack([np.tile(single, single.size), np.repeat(single, single.size)], axis=1).reshape(-1)


@kernel
def _bytes(raw: Uint8s, values: Float32s, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = values[raw[i]]


@kernel
def _nibbles(raw: Uint8s, pairs: Float32s, out: Float32s) -> None:
    whole = out.size // 2
    for i in range(whole):
        both = 2 * np.int64(raw[i])
        out[2 * i] = pairs[both]
        out[2 * i + 1] = pairs[both + 1]
    if out.size > 2 * whole:
        out[2 * whole] = pairs[2 * np.int64(raw[whole])]


@kernel
def _stream(raw: Uint8s, first: int, bits: int, values: Float32s, out: Float32s) -> None:
    mask = np.uint32((1 << bits) - 1)
    at = first * bits
    for i in range(out.size):
        byte, shift = at >> 3, np.uint32(at & 7)
        low = np.uint32(raw[byte])
        high = np.uint32(raw[byte + 1]) if shift + np.uint32(bits) > np.uint32(8) else np.uint32(0)
        out[i] = values[((low | (high << np.uint32(8))) >> shift) & mask]
        at += bits
