"""Stored bytes and float32: every pattern of the small dtypes, against ml_dtypes, numpy and torch."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from lineal.checkpoint.codes.dtypes import FLOATS, decode, encode, first_nonfinite
from lineal.errors import CheckpointError
from tests.builders import NUMPY, Array

SMALL = ["BF16", "F16", "F8_E4M3", "F8_E5M2"]
TORCH = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
F32 = np.float32
LAST = {
    "F64": np.finfo(F32).max,
    "F32": np.finfo(F32).max,
    "BF16": np.uint32(0x7F7F7FFF).view(F32),  # below the midpoint of the largest and the next, which is odd's tie
    "F16": np.nextafter(F32(65520), F32(0)),
    "F8_E4M3": F32(464),  # the midpoint itself: 448 is even
    "F8_E5M2": np.nextafter(F32(61440), F32(0)),
}
"""The largest float32 that is still finite once it is stored; the decoder of F64 goes through float32."""


def raw_bytes(values: Array) -> Any:
    return np.frombuffer(bytearray(values.tobytes()), np.uint8)


def decoded(stored: Array, dtype: str) -> Array:
    out = np.full(stored.size, 7, np.float32)
    decode(raw_bytes(stored), dtype, out)
    return out


def encoded(values: Array, dtype: str) -> Array:
    raw = np.full(values.size * np.dtype(NUMPY[dtype]).itemsize, 7, np.uint8)
    encode(np.ascontiguousarray(values, np.float32), dtype, raw)
    return raw.view(NUMPY[dtype])


def as_torch(values: Array, dtype: str) -> Array:
    """What torch makes of float32 values in this dtype, widened again."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(TORCH[dtype]).float().numpy()


def patterns(dtype: str) -> Array:
    """Every value that the dtype can store."""
    width = np.dtype(NUMPY[dtype]).itemsize
    return np.arange(1 << 8 * width, dtype=f"<u{width}").view(NUMPY[dtype])


def same_values(left: Array, right: Array) -> bool:
    """The same bits, except that any NaN is as good as any other."""
    nan = np.isnan(left.astype(np.float32))
    return bool(
        np.array_equal(nan, np.isnan(right.astype(np.float32))) and left[~nan].tobytes() == right[~nan].tobytes()
    )


def floats(seed: int, count: int = 1 << 18) -> Array:
    """Random float32 bit patterns: every exponent, NaNs and infinities among them."""
    return np.random.default_rng(seed).integers(0, 1 << 32, count, np.uint32).view(np.float32)


def near(dtype: str) -> Array:
    """float32 values on, just above and just below every value of the dtype and every midpoint of two neighbours."""
    with np.errstate(invalid="ignore"):
        values = np.unique(patterns(dtype).astype(np.float32))
    values = values[np.isfinite(values)]
    midpoints = ((values[1:].astype(np.float64) + values[:-1]) / 2).astype(np.float32)
    points = np.concatenate([values, midpoints])
    return np.concatenate([points, np.nextafter(points, np.float32(np.inf)), np.nextafter(points, np.float32(-np.inf))])


@pytest.mark.parametrize("dtype", SMALL)
def test_every_stored_pattern_is_widened_exactly(dtype: str) -> None:
    stored = patterns(dtype)
    with np.errstate(invalid="ignore"):
        expected = stored.astype(np.float32)
    assert same_values(decoded(stored, dtype), expected)
    assert same_values(
        decoded(stored, dtype), torch.from_numpy(stored.view(np.uint8)).view(TORCH[dtype]).float().numpy()
    )


@pytest.mark.parametrize("dtype", SMALL)
def test_every_stored_pattern_comes_back(dtype: str) -> None:
    stored = patterns(dtype)
    assert same_values(encoded(decoded(stored, dtype), dtype), stored)


@pytest.mark.parametrize("dtype", SMALL)
def test_rounding_is_to_nearest_with_ties_to_even(dtype: str) -> None:
    values = near(dtype)
    assert same_values(encoded(values, dtype).astype(np.float32), as_torch(values, dtype))


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_random_floats_are_rounded_as_torch_rounds_them(dtype: str) -> None:
    values = floats(1)
    with np.errstate(invalid="ignore"):
        assert same_values(encoded(values, dtype).astype(np.float32), as_torch(values, dtype))


@pytest.mark.parametrize("dtype", SMALL)
def test_random_floats_are_rounded_as_ml_dtypes_rounds_them(dtype: str) -> None:
    values = floats(2)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = values.astype(NUMPY[dtype])
    assert same_values(encoded(values, dtype), expected)


@pytest.mark.parametrize("dtype", sorted(FLOATS))
def test_a_nan_stays_a_nan(dtype: str) -> None:
    nans = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F80FFFF], np.uint32)
    assert np.isnan(decoded(encoded(nans.view(np.float32), dtype), dtype)).all()


def test_float32_passes_bit_for_bit() -> None:
    values = floats(3)
    assert decoded(values, "F32").tobytes() == encoded(values, "F32").tobytes() == values.tobytes()


def test_float64_is_rounded_to_float32_and_back_without_loss() -> None:
    generator = np.random.default_rng(4)
    wide = generator.standard_normal(4096) * 10.0 ** generator.integers(-44, 38, 4096)
    assert decoded(wide, "F64").tobytes() == wide.astype(np.float32).tobytes()
    assert np.array_equal(encoded(decoded(wide, "F64"), "F64"), wide.astype(np.float32).astype(np.float64))


def test_overflow_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(decoded(np.array([1e300, -1e300]), "F64")).all()
        assert np.isinf(encoded(np.array([1e38], np.float32), "F16").astype(np.float32)).all()


@pytest.mark.parametrize("dtype", sorted(FLOATS))
@pytest.mark.parametrize("sign", [1, -1])
def test_overflow_is_found_at_the_exact_boundary(dtype: str, sign: int) -> None:
    last, beyond = sign * LAST[dtype], sign * (LAST[dtype].view(np.uint32) + np.uint32(1)).view(F32)
    with np.errstate(over="ignore"):
        assert np.isfinite(np.array([last, beyond]).astype(NUMPY[dtype]).astype(F32)).tolist() == [True, False]
    values = np.array([0, 1, last, 2, beyond, np.nan], np.float32)
    assert first_nonfinite(values[:4], dtype) == -1
    assert first_nonfinite(values, dtype) == 4


@pytest.mark.parametrize("dtype", sorted(FLOATS))
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_of_several_is_found(dtype: str, bad: float) -> None:
    values = np.zeros(1000, np.float32)
    assert first_nonfinite(values, dtype) == -1
    values[[999, 123, 500]] = bad
    assert first_nonfinite(values, dtype) == 123
    assert first_nonfinite(np.empty(0, np.float32), dtype) == -1


@pytest.mark.parametrize("dtype", sorted(FLOATS))
def test_what_is_found_is_what_would_not_be_finite_when_stored(dtype: str) -> None:
    values = np.concatenate([near("F16"), near("F8_E5M2"), near("F8_E4M3"), floats(5, 4096)])
    with np.errstate(over="ignore", invalid="ignore"):
        stored = encoded(values, dtype).astype(np.float64)
    for value, finite in zip(
        values[:: max(1, values.size // 4000)], np.isfinite(stored)[:: max(1, values.size // 4000)], strict=True
    ):
        assert (first_nonfinite(np.array([value], np.float32), dtype) == -1) == finite


@pytest.mark.parametrize("dtype", ["I8", "BOOL", "U8", "F8_E8M0", "C64"])
def test_other_dtypes_are_not_computed_with(dtype: str) -> None:
    assert dtype not in FLOATS
    with pytest.raises(CheckpointError, match=f"no arithmetic on {dtype}"):
        decode(np.zeros(8, np.uint8), dtype, np.zeros(1, np.float32))
