"""Codes of 2 to 8 bits as a stream of bits in int32 words: low bits first, across words without a gap.

Each row begins with a word of its own, and its last is filled up with zeros. Signed codes are stored with 2^(bits-1)
added (pack_to_int32 of compressed-tensors).
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.storage import padded
from lineal.errors import CheckpointError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Uint8Rows, Uint64Rows

Int8: TypeAlias = NDArray[np.int8]
Uint8: TypeAlias = NDArray[np.uint8]
Int32: TypeAlias = NDArray[np.int32]

_RUN = 32
"""Codes that fill whole words, whatever their bits."""

_ONES = np.uint64(0x0101010101010101)
"""The lowest bit of each byte."""


def words(columns: int, bits: int) -> int:
    """How many int32 a row of so many codes takes."""
    return -(-columns * bits // 32)


def pack_rows(codes: Int8, bits: int) -> Int32:
    """Signed codes [rows, columns], -2^(bits-1) to 2^(bits-1) - 1, as int32 [rows, ceil(columns * bits / 32)]."""
    _check(bits)
    rows, columns = codes.shape
    whole = padded(columns, _RUN)
    if whole > columns:
        filled = np.full((rows, whole), -(1 << (bits - 1)), np.int8)  # which becomes bits of 0
        filled[:, :columns] = codes
        codes = filled
    packed = np.empty((rows, whole * bits // 32), np.int32)
    _pack(np.ascontiguousarray(codes).view(np.uint64), bits, packed.view(np.uint8))
    return np.ascontiguousarray(packed[:, : words(columns, bits)])


def pack_nibbles(codes: Uint8) -> Uint8:
    """Codes of 0 to 15, [rows, columns] of an even number, two a byte: [rows, columns / 2], the first one low."""
    rows, columns = codes.shape
    if columns % 2:
        raise CheckpointError(f"rows of {columns} codes are no whole bytes of two")
    packed = np.empty((rows, columns // 2), np.uint8)
    _pack_nibbles(np.ascontiguousarray(codes), packed)
    return packed


def _check(bits: int) -> None:
    if not 2 <= bits <= 8:
        raise CheckpointError(f"codes have 2 to 8 bits, not {bits}")


@kernel
def _pack(eights: Uint64Rows, bits: int, packed: Uint8Rows) -> None:
    """Eight codes at a time, which fill whole bytes."""
    for r in range(len(eights)):
        row, out = eights[r], packed[r]
        if bits == 4:
            _pack_fours(row, out.view(np.uint32))
        else:
            for j in range(row.size):
                stream = _together(np.uint64(row[j]), np.uint64(bits))
                for i in range(bits):
                    out[bits * j + i] = np.uint8(stream >> np.uint64(8 * i))


@kernel
def _pack_fours(row: Any, out: Any) -> None:
    for j in range(row.size):
        out[j] = np.uint32(_together(np.uint64(row[j]), np.uint64(4)))


@kernel
def _together(eight: Any, bits: Any) -> np.uint64:
    """Eight signed codes, a byte each, as one stream: lifted, then moved together by pairs, fours and halves."""
    one = np.uint64(1)
    x = (eight ^ (_ONES << (bits - one))) & (_ONES * ((one << bits) - one))
    gap = np.uint64(8) - bits
    x = (x & np.uint64(0x00FF00FF00FF00FF)) | ((x & np.uint64(0xFF00FF00FF00FF00)) >> gap)
    x = (x & np.uint64(0x0000FFFF0000FFFF)) | ((x & np.uint64(0xFFFF0000FFFF0000)) >> (gap + gap))
    return (x & np.uint64(0xFFFFFFFF)) | ((x >> np.uint64(32)) << (np.uint64(4) * bits))


@kernel
def _pack_nibbles(codes: Uint8Rows, packed: Uint8Rows) -> None:
    for r in range(len(packed)):
        row, out = codes[r], packed[r]
        for i in range(out.size):
            out[i] = np.uint8(row[2 * i] | np.uint8(row[2 * i + 1] << np.uint8(4)))
