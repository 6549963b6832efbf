"""Codes as a stream of bits in words, against whole numbers of Python's."""

import numpy as np
import pytest

from lineal.checkpoint.codes.packed.bits import pack_rows, words
from lineal.checkpoint.codes.packed.values import INTEGERS, look_up, values_of
from lineal.errors import CheckpointError
from tests.reference.grid import packed_row


@pytest.mark.parametrize("columns", [1, 7, 8, 31, 32, 33, 64, 100, 256])
@pytest.mark.parametrize("bits", range(2, 9))
def test_a_row_is_a_stream_of_bits_low_bits_first(bits: int, columns: int) -> None:
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    codes = np.random.default_rng(bits).integers(lowest, highest, (5, columns), np.int8, endpoint=True)
    codes[0], codes[1] = lowest, highest
    packed = pack_rows(codes, bits)
    assert packed.dtype == np.int32
    assert packed.view(np.uint32).tolist() == [packed_row(row, bits) for row in codes]
    assert packed.shape == (5, words(columns, bits))
    found = np.empty(columns, np.float32)
    for row, expected in zip(packed, codes, strict=True):
        look_up(row.view(np.uint8), 0, bits, values_of(INTEGERS, bits), found)
        assert np.array_equal(found, expected)


def test_zero_points_are_packed_down_the_rows_by_packing_what_is_turned() -> None:
    zeros = np.arange(-8, 8, dtype=np.int8).reshape(8, 2)
    packed = np.ascontiguousarray(pack_rows(np.ascontiguousarray(zeros.T), 4).T)
    assert packed.shape == (1, 2)
    assert packed.view(np.uint32)[0].tolist() == [0xECA86420, 0xFDB97531]


@pytest.mark.parametrize("bits", [1, 9])
def test_other_codes_are_refused(bits: int) -> None:
    with pytest.raises(CheckpointError, match="2 to 8 bits"):
        pack_rows(np.zeros((1, 8), np.int8), bits)
