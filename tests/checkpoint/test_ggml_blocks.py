"""Block types against gguf-py: the same blocks bit for bit where nothing is searched for, and the same values back."""

import warnings

import gguf
import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lineal.checkpoint.codes.dtypes import decode, encode, first_nonfinite
from lineal.checkpoint.codes.ggml import BLOCK_DECODERS
from lineal.checkpoint.headers.safetensors import BITS
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.errors import CheckpointError
from tests.builders import Array, same_bits

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
SCALED = ["Q4_0", "Q5_0", "Q8_0"]
"""Those without a smallest value."""
F32 = np.float32
DIVISOR = {"Q8_0": 127, "Q4_0": 8, "Q5_0": 16}
"""What the largest magnitude of a block is divided by to give its scale."""
CODES = {"Q8_0": 255, "Q4_0": 16, "Q5_0": 32}
LARGEST = F32(65519) * F32(8)

extreme = arrays.arrays(np.uint32, st.integers(1, 4).map(lambda n: 32 * n)).map(lambda bits: bits.view(F32))
ordinary = arrays.arrays(F32, st.integers(1, 4).map(lambda n: 32 * n), elements=st.floats(-4, 4, width=32))
few = arrays.arrays(F32, 64, elements=st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -8.0, 1e-7, -1e-38, 1e-45]))


def encoded(values: Array, dtype: str) -> Array:
    raw = np.full(byte_length(dtype, values.size), 7, np.uint8)
    encode(values, dtype, raw)
    return raw


def decoded(raw: Array, dtype: str) -> Array:
    values, size = BLOCKS[dtype]
    out = np.full(raw.size // size * values, 7, F32)
    decode(raw, dtype, out)
    return out


def by_gguf(values: Array, dtype: str) -> Array:
    """gguf-py's blocks; it converts infinities and NaN to integers, which numpy warns of, but where scales are 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return gguf.quants.quantize(values.reshape(-1, 32), GGMLQuantizationType[dtype]).reshape(-1)


def from_gguf(raw: Array, dtype: str) -> Array:
    blocks = raw.reshape(-1, BLOCKS[dtype][1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return gguf.quants.dequantize(blocks, GGMLQuantizationType[dtype]).reshape(-1)


def same_values(left: Array, right: Array) -> bool:
    """The same bits, except that any NaN is as good as any other."""
    nan = np.isnan(left)
    return bool(np.array_equal(nan, np.isnan(right))) and same_bits(left[~nan], right[~nan])


def agrees(values: Array, dtype: str) -> None:
    if dtype not in SCALED:
        values = values + F32(0)  # of zeros of both signs numpy has either as the smallest value
    raw = encoded(values, dtype)
    assert raw.tobytes() == by_gguf(values, dtype).tobytes()
    assert same_values(decoded(raw, dtype), from_gguf(raw, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 3e-5, 1e-8, 1e-38, 1e-42, 1e4])
def test_random_values_become_the_blocks_of_gguf(dtype: str, scale: float) -> None:
    values = np.random.default_rng(7).standard_normal(32 * 2000).astype(F32) * F32(scale)
    agrees(values, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=60, deadline=None)
@given(st.one_of(ordinary, few))
def test_any_values_become_the_blocks_of_gguf(dtype: str, values: Array) -> None:
    agrees(values, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=60, deadline=None)
@given(extreme)
def test_any_finite_pattern_becomes_the_block_of_gguf(dtype: str, values: Array) -> None:
    agrees(np.where(np.isfinite(values), values, F32(0)), dtype)


BLOCK = np.linspace(-1, 1, 32, dtype=F32)
FIXED = {
    "zeros": np.zeros(32, F32),
    "negative zeros": np.full(32, -0.0, F32),
    "a zero of each sign, the negative first": np.array([-0.0, 0.0] * 16, F32),
    "a tie of signs, the negative first": np.array([-1.0, 1.0] * 16, F32),
    "a tie of signs, the positive first": np.array([1.0, -1.0] * 16, F32),
    "the negative largest": np.where(np.arange(32) == 5, F32(-3), BLOCK),
    "one value": np.where(np.arange(32) == 31, F32(0.7), F32(0)),
    "the smallest number": np.full(32, 1e-45, F32),
    "a scale that is denormal": BLOCK * F32(1e-40),
    "a scale that float16 rounds to nothing": BLOCK * F32(1e-7),
    "a scale that is a denormal float16": BLOCK * F32(1e-4),
    "the largest scale": BLOCK * LARGEST,
    "halves, which round away from zero": np.array([127, *(i + 0.5 for i in range(-15, 16))], F32),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", FIXED)
def test_remarkable_blocks_are_those_of_gguf(dtype: str, name: str) -> None:
    agrees(FIXED[name], dtype)


@pytest.mark.parametrize("dtype", sorted(BLOCK_DECODERS))
def test_every_scale_times_every_code_is_the_value_of_gguf(dtype: str) -> None:
    scales = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    codes = np.random.default_rng(3).integers(0, 256, (1 << 16, BLOCKS[dtype][1] - 2), np.uint8)
    raw = np.hstack([scales, codes]).reshape(-1)
    assert same_values(decoded(raw, dtype), from_gguf(raw, dtype))


@pytest.mark.parametrize("dtype", SCALED)
def test_every_float16_is_a_scale_that_comes_back(dtype: str) -> None:
    """Blocks whose largest magnitude gives each float16, and its midpoints with the next, as the scale."""
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(F32)
    scales = np.concatenate([halves, (halves[1:] + halves[:-1]) / 2])
    largest = np.concatenate([scales, np.nextafter(scales, F32(np.inf))]) * F32(DIVISOR[dtype])
    values = np.zeros((largest.size, 32), F32)
    values[:, 0] = -largest
    agrees(values.reshape(-1), dtype)


@pytest.mark.parametrize("dtype", SCALED)
def test_encoding_what_was_decoded_changes_nothing(dtype: str) -> None:
    values = np.random.default_rng(5).standard_normal(32 * 100).astype(F32)
    once = decoded(encoded(values, dtype), dtype)
    assert np.abs(once - values).max() <= np.abs(values).max() / CODES[dtype] * 2
    assert same_bits(decoded(encoded(once, dtype), dtype), once)


@pytest.mark.parametrize("dtype", SCALED)
def test_a_value_is_too_large_exactly_where_its_blocks_scale_overflows(dtype: str) -> None:
    smallest = F32(65520 * DIVISOR[dtype])
    for value in (smallest, -smallest):
        block = np.zeros(64, F32)
        block[40] = value
        assert first_nonfinite(block, dtype) == 40
        assert not np.isfinite(decoded(encoded(block, dtype), dtype)[32:]).any()
        block[40] = np.nextafter(value, F32(0))
        assert first_nonfinite(block, dtype) == -1
        assert np.isfinite(decoded(encoded(block, dtype), dtype)).all()


@pytest.mark.parametrize("dtype", ["Q4_1", "Q5_1"])
def test_a_smallest_value_is_too_large_exactly_where_it_overflows(dtype: str) -> None:
    block = np.zeros(64, F32)
    block[40] = -65520
    assert first_nonfinite(block, dtype) == 40
    assert not np.isfinite(decoded(encoded(block, dtype), dtype)[32:]).any()
    block[40] = np.nextafter(block[40], F32(0))
    assert first_nonfinite(block, dtype) == -1
    assert np.isfinite(decoded(encoded(block, dtype), dtype)).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found_and_if_allowed_does_not_vanish(dtype: str, value: float) -> None:
    values = np.ones(64, F32)
    values[33] = value
    assert first_nonfinite(values, dtype) == 33
    back = decoded(encoded(values, dtype), dtype)
    assert not np.isfinite(back[33])
    assert np.isfinite(back[:32]).all()


def test_the_sizes_of_blocks_are_ggmls() -> None:
    """gguf-py 0.19 has 40 bytes for Q8_1, as ggml had before its sums became float16; no file stores that type."""
    ours = {name: BLOCKS[name] if name in BLOCKS else (1, BITS[name] // 8) for name in GGMLQuantizationType.__members__}
    assert ours | {"Q8_1": (32, 40)} == {kind.name: size for kind, size in GGML_QUANT_SIZES.items()}


def test_only_whole_blocks_have_a_length() -> None:
    assert byte_length("Q4_0", 64) == 36
    with pytest.raises(CheckpointError, match="33 values are not whole blocks of Q8_0, which hold 32"):
        byte_length("Q8_0", 33)
