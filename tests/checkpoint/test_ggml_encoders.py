"""Encoders of every block type against llama.cpp: its own library's bytes, and its algorithms one value at a time."""

import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.codes.dtypes import decode, encode, first_nonfinite
from lineal.checkpoint.codes.ggml import CODECS, Encoding
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.errors import CheckpointError
from tests.builders import Array
from tests.reference.ggml_blocks import encoded as by_reference
from tests.reference.ggml_inputs import COLUMNS, sample_importance, sample_rows

F32 = np.float32

# ggml-quants.c of llama-cpp-python 0.3.36, built by GCC 12.2 as a shared library with -O3 -DNDEBUG (pip's wheel for
# x86-64), and with -mfma besides (the same bytes with -mavx2, -march=x86-64-v3 and -v4); its quantize_q4_0 and so on
# were called by ctypes with sample_rows() and with sample_importance() or none. First half of BLAKE3's digests, of the
# first build without an importance and with it, then of the second.
OF_LLAMA_CPP = {
    "Q4_0": (
        "28883348d8a70ced",
        "e9cb756144619e67",
        "28883348d8a70ced",
        "68b899e3b5fc0b64",
    ),
    "Q4_1": (
        "bcaf457c4c305f38",
        "bec1b79769ed6479",
        "bcaf457c4c305f38",
        "e349278556b0e33e",
    ),
    "Q5_0": (
        "06fe2d72a1e91d86",
        "4e912aca9f210e2f",
        "1544212de02b26c1",
        "9627b184dbcaf471",
    ),
    "Q5_1": (
        "1318f5ddefa85852",
        "c3c447367d3134df",
        "1318f5ddefa85852",
        "494c4de4815097fb",
    ),
    "Q8_0": (
        "3912dd701e947f6e",
        "3912dd701e947f6e",
        "3912dd701e947f6e",
        "3912dd701e947f6e",
    ),
    "Q2_K": (
        "daab22dc8614b18c",
        "03aecda6767f5d9b",
        "72d0680f9eaaad58",
        "862a93f1266012c0",
    ),
    "Q3_K": (
        "7b2c1ca06b86ba05",
        "1f3e75a9c1406307",
        "63b88906425b0f43",
        "d863d8979fc68307",
    ),
    "Q4_K": (
        "29acb672f33741c7",
        "4c2fd6257782b9b9",
        "07a049fdff0f6101",
        "23bb4c0054f0850d",
    ),
    "Q5_K": (
        "5128405924745903",
        "16da7054289b2e43",
        "79979abd86658de9",
        "6393827fbaab3df0",
    ),
    "Q6_K": (
        "ea64644f6b2201f1",
        "57af53b683c39ad5",
        "618dfb9c6de458d1",
        "933a3807defa3e56",
    ),
    "IQ4_NL": (
        "979f71a33d7c68d5",
        "bd0f10ed0a402ec9",
        "2f9d4eb6a39bc1d0",
        "f1001ae79478b847",
    ),
    "IQ4_XS": (
        "6f6ca251145b9359",
        "81b6ac570479ea4e",
        "133109fb0e8eb125",
        "da4461d26a8d67a9",
    ),
}
TYPES = sorted(CODECS)


def encoded(values: Array, dtype: str, encoding: Encoding) -> bytes:
    raw = np.full(byte_length(dtype, values.size), 7, np.uint8)
    encode(np.ascontiguousarray(values).reshape(-1), dtype, raw, encoding)
    return raw.tobytes()


def importance_or_none(weighted: bool) -> Array | None:
    return sample_importance() if weighted else None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_blocks_are_those_of_llama_cpps_library(dtype: str, fused: bool, weighted: bool) -> None:
    found = encoded(sample_rows(), dtype, Encoding(importance_or_none(weighted), fused))
    assert blake3(found).hexdigest()[:16] == OF_LLAMA_CPP[dtype][2 * fused + weighted]


def test_both_families_of_builds_are_told_apart() -> None:
    differing = {dtype for dtype, digests in OF_LLAMA_CPP.items() if digests[:2] != digests[2:]}
    assert differing >= {"Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "Q4_0"}
    assert "Q8_0" not in differing


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_blocks_are_those_of_the_algorithm_step_by_step(dtype: str, fused: bool, weighted: bool) -> None:
    columns = BLOCKS[dtype][0]
    rows = np.random.default_rng(23).standard_normal((2, columns)).astype(F32) * F32(0.02)
    rows[1, ::31] *= F32(40)
    importance = np.random.default_rng(29).exponential(2, columns).astype(F32) if weighted else None
    expected = b"".join(by_reference(row, dtype, importance, fused) for row in rows)
    assert encoded(rows, dtype, Encoding(importance, fused)) == expected


@pytest.mark.parametrize("scale", [1e-40, 3e-39, 1e-15, 1e-9, 0.0])
@pytest.mark.parametrize("dtype", TYPES)
def test_tiny_blocks_are_those_of_the_algorithm(dtype: str, scale: float) -> None:
    columns = BLOCKS[dtype][0]
    row = np.random.default_rng(31).standard_normal(columns).astype(F32) * F32(scale) + F32(0)  # no negative zeros
    assert encoded(row, dtype, Encoding()) == by_reference(row, dtype)


@pytest.mark.parametrize("dtype", ["Q4_1", "Q5_1"])
def test_the_first_zero_is_the_smallest_value(dtype: str) -> None:
    for row in (np.where(np.arange(32) % 3, F32(-0.0), F32(0)), np.array([-0.0, 1, *[0] * 30], F32)):
        assert encoded(row, dtype, Encoding()) == by_reference(row, dtype)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_rows_in_pieces_have_the_same_blocks(dtype: str, fused: bool, weighted: bool) -> None:
    rows, encoding = np.tile(sample_rows(), (2, 1)), Encoding(importance_or_none(weighted), fused)
    together = encoded(rows, dtype, encoding)
    assert b"".join(encoded(some, dtype, encoding) for some in np.array_split(rows, 5)) == together
    if not weighted:
        each = BLOCKS[dtype][0]
        pieces = rows.reshape(-1)[: 7 * each], rows.reshape(-1)[7 * each :]
        assert b"".join(encoded(piece, dtype, encoding) for piece in pieces) == together


@pytest.mark.parametrize("dtype", sorted(set(TYPES) - {"Q8_0"}))
def test_an_importance_of_ones_is_not_the_same_as_none(dtype: str) -> None:
    rows = sample_rows()
    assert encoded(rows, dtype, Encoding(np.ones(COLUMNS, F32))) != encoded(rows, dtype, Encoding())


def test_an_importance_that_is_read_only_or_stands_apart_is_as_good() -> None:
    apart = np.repeat(sample_importance(), 2)[::2]
    apart.flags.writeable = False
    given = [encoded(sample_rows(), "Q4_K", Encoding(one)) for one in (apart, sample_importance())]
    assert given[0] == given[1]


def test_an_importance_that_does_not_fit_the_rows_is_refused() -> None:
    with pytest.raises(CheckpointError, match="512 values are not rows of 768 in whole blocks of Q4_K"):
        encoded(np.zeros(512, F32), "Q4_K", Encoding(np.ones(768, F32)))
    with pytest.raises(CheckpointError, match="96 values are not rows of 48 in whole blocks of Q4_0"):
        encoded(np.zeros(96, F32), "Q4_0", Encoding(np.ones(48, F32)))


@pytest.mark.parametrize("dtype", ["Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_a_scale_that_only_an_importance_makes_too_large_is_refused(dtype: str) -> None:
    random, most = np.random.default_rng(3), F32(65519 * CODECS[dtype].steps)
    rows = np.where(random.random((64, 256)) < 0.5, random.choice([-1, 1], (64, 256)), random.uniform(-1, 1, (64, 256)))
    importance = np.exp(3 * random.standard_normal(256)).astype(F32)
    values = (rows * most).astype(F32)
    assert first_nonfinite(values.reshape(-1), dtype) == -1
    with pytest.raises(CheckpointError, match=f"too large for {dtype}"):
        encoded(values, dtype, Encoding(importance))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", sorted(set(TYPES) - {"Q4_0", "Q4_1", "Q5_0", "Q5_1"}))
def test_values_under_a_types_limit_come_back_as_numbers(dtype: str, weighted: bool) -> None:
    random = np.random.default_rng(37)
    most = np.nextafter(F32(65520 * CODECS[dtype].steps), F32(0))
    rows = random.uniform(-1, 1, (160, 256))
    rows[::2] = np.where(random.random((80, 256)) < 0.5, np.sign(rows[::2]), rows[::2])
    rows[::5] = -1 + 0.2 * abs(rows[::5])
    rows[::7] = np.where(random.random((23, 256)) < 0.02, np.sign(rows[::7]), 0)
    values = (rows * most).astype(F32).clip(-most, most)
    importance = np.exp(3 * random.standard_normal(256)).astype(F32) if weighted else None
    out = np.empty(values.size, F32)
    decode(np.frombuffer(encoded(values, dtype, Encoding(importance)), np.uint8).copy(), dtype, out)
    assert np.isfinite(out).all()
