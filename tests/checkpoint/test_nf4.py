"""NF4, FP4, double quantization and LLM.int8 against bitsandbytes: its own codes, and its arithmetic value by value."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.codes import double_quantization, llm_int8, nf4
from tests.builders import Array
from tests.reference import bitsandbytes_codes as reference

F32 = np.float32

# bitsandbytes 0.50.2 with torch 2.13.0 on an x86-64 CPU, one thread: quantize_4bit, quantize_blockwise of what is left
# of absmax without its mean, create_dynamic_map, int8_vectorwise_quant of float16; `reference.sample` as it is and
# rounded to bfloat16 and float16. First half of BLAKE3's digests of codes and magnitudes.
OF_BITSANDBYTES = {
    ("nf4", 576, 64): ("ab0fc20b2c5ad8ed", "3a3eae5cd4efe957", "989957c1e39d8b24"),
    ("nf4", 128, 128): ("f1b91718d547f911", "d33be85b35aede26", "dc12b55913c2b661"),
    ("nf4", 33, 64): ("d2e514d41cc8cadd", "098a67594416b8bb", "8eb1b4f47d530add"),
    ("nf4", 512, 32): ("b1a64d93ff535bca", "323ec95433db491e", "f439657216a408c5"),
    ("nf4", 200, 4096): ("5a4f666548330877", "2c4dec9179015c0a", "b0183b14486c4ee4"),
    ("fp4", 576, 64): ("9cc1dfeb9991a13a", "d403e44ac10e62aa", "5122a17e0bb5a81b"),
    ("fp4", 128, 128): ("01e4b02b5247655d", "d7662b6754dee1e5", "0555ee97905d8d92"),
    ("fp4", 33, 64): ("e75d13962823dd6f", "8742f9d51b610fc9", "9677f1758a07cc4a"),
    ("fp4", 512, 32): ("2335e6f45408ebec", "e50607673355f3ab", "0356c9a089256445"),
    ("fp4", 200, 4096): ("1a33a6c1bc4525df", "544c5bfc0e09fc9d", "45b44f4566427892"),
}
NESTED = {7: "b6f0e0a2147072b4", 1000: "bf8f06486e01ef1b", 40000: "26ec4e5073671225"}
MAP = "254be593f146580b"
INT8 = ("97c33a2a07f1f224", "f9269006a85ed551", "97c33a2a07f1f224")
DTYPES = (np.float32, ml_dtypes.bfloat16, np.float16)


def digest(*arrays: Any) -> str:
    return blake3(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


def encoded(values: Array, dtype: str, block: int) -> tuple[Array, Array]:
    flat = np.ascontiguousarray(values.reshape(-1), F32)
    codes, absmax = np.empty(-(-flat.size // 2), np.uint8), np.empty(-(-flat.size // block), F32)
    nf4.encode(flat, dtype, block, codes, absmax)
    return codes, absmax


@pytest.mark.parametrize(("dtype", "columns", "block"), OF_BITSANDBYTES)
def test_codes_of_every_source_are_those_of_bitsandbytes(dtype: str, columns: int, block: int) -> None:
    values = reference.sample(columns)
    made = tuple(digest(*encoded(values.astype(kind).astype(F32), dtype, block)) for kind in DTYPES)
    assert made == OF_BITSANDBYTES[dtype, columns, block]


@pytest.mark.parametrize("dtype", nf4.LEVELS)
@pytest.mark.parametrize(("columns", "rows", "block"), [(64, 24, 64), (33, 11, 64), (7, 1, 32)])
def test_each_code_is_that_of_the_nearest_level(dtype: str, columns: int, rows: int, block: int) -> None:
    values = reference.sample(columns)[-rows:]
    codes, absmax = encoded(values, dtype, block)
    expected, scales = reference.four_bits(values, dtype, block)
    assert codes.tobytes() == reference.packed(expected, dtype)
    assert absmax.tolist() == scales
    out = np.empty(values.size, F32)
    nf4.decode(codes, absmax, dtype, block, 0, out)
    levels = reference.levels(dtype)
    assert out.tolist() == [levels[code] * scales[i // block] for i, code in enumerate(expected)]


def test_a_value_in_the_middle_between_two_levels_gets_the_lower_one() -> None:
    for dtype, levels in nf4.LEVELS.items():
        ordered = np.sort(levels)
        middles = (ordered[:-1] + ordered[1:]) / F32(2)
        values = np.zeros(64, F32)
        values[:15], values[16:31], values[63] = middles, np.nextafter(middles, F32(2)), 1
        codes, absmax = encoded(values, dtype, 64)
        out = np.empty(64, F32)
        nf4.decode(codes, absmax, dtype, 64, 0, out)
        assert out[:15].tolist() == ordered[:-1].tolist()
        assert out[16:31].tolist() == ordered[1:].tolist()


@pytest.mark.parametrize(("first", "count"), [(0, 1), (2, 100), (62, 3), (128, 64), (1000, 7), (1046, 9)])
def test_any_stretch_is_decoded_by_itself(first: int, count: int) -> None:
    values = reference.sample(33, 32)[:32]
    codes, absmax = encoded(values, "nf4", 64)
    whole, some = np.empty(values.size, F32), np.empty(count, F32)
    nf4.decode(codes, absmax, "nf4", 64, 0, whole)
    nf4.decode(codes[first // 2 : -(-(first + count) // 2)].copy(), absmax, "nf4", 64, first, some)
    assert some.tolist() == whole[first : first + count].tolist()


def test_the_dynamic_map_is_that_of_bitsandbytes() -> None:
    assert digest(double_quantization.dynamic_map()) == MAP
    np.testing.assert_allclose(double_quantization.dynamic_map(), reference.dynamic_map(), rtol=1e-6)


@pytest.mark.parametrize("columns", NESTED)
def test_codes_of_scales_are_those_of_bitsandbytes(columns: int) -> None:
    codes, absmax, offset = double_quantization.encode(abs(reference.sample(columns)[9]))
    assert digest(codes, absmax, offset) == NESTED[columns]


@pytest.mark.parametrize("scales", [np.full(300, 2, F32), np.zeros(5, F32), np.full(9, 3e-39, F32)])
def test_scales_that_are_all_the_same_come_back(scales: Array) -> None:
    nested = double_quantization.encode(scales)
    assert double_quantization.decode(nested, double_quantization.dynamic_map()).tolist() == scales.tolist()


@pytest.mark.parametrize("columns", [1, 40, 700])
def test_each_code_of_a_scale_is_that_of_the_nearest_step(columns: int) -> None:
    scales = abs(reference.sample(columns)[11])
    nested, numbers = double_quantization.encode(scales), double_quantization.dynamic_map()
    codes, largest = reference.nested(scales, nested.offset, numbers)
    assert nested.codes.tolist() == codes
    assert nested.absmax.tolist() == largest
    assert abs(nested.offset - scales.astype(np.float64).mean()) < 1e-6 * nested.offset
    expected = [numbers[code] * largest[i // 256] + nested.offset for i, code in enumerate(codes)]
    assert double_quantization.decode(nested, numbers).tolist() == expected


def encoded_int8(rows: Array) -> tuple[Array, Array]:
    codes, largest = np.empty(rows.shape, np.int8), np.empty(len(rows), F32)
    llm_int8.encode(rows, codes, largest)
    return codes, largest


def test_eight_bit_codes_of_every_source_are_those_of_bitsandbytes() -> None:
    rows = reference.sample(576)
    assert tuple(digest(*encoded_int8(rows.astype(kind).astype(F32))) for kind in DTYPES) == INT8


def test_eight_bit_codes_are_steps_of_a_127th_of_the_rows_largest() -> None:
    rows = reference.sample(65)
    codes, largest = encoded_int8(rows)
    expected, scales = reference.eight_bits(rows)
    assert codes.tolist() == expected
    assert largest.tolist() == scales
    out = np.empty(rows.shape, F32)
    llm_int8.decode(codes, largest, out)
    np.testing.assert_array_equal(out, codes * largest[:, None] * F32(7.874015718698502e-3))
    of_float16 = abs(rows) * F32(2**-11) + F32(2**-25)
    assert (abs(out - rows) <= largest[:, None] * F32(0.501 / 127) + of_float16).all()
