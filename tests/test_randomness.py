"""Random numbers: Philox 4x32-10 as published, one number an element whoever asks for it."""

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from lineal.randomness import Stream, stream, uniforms, words

KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
"""Random123's kat_vectors for philox4x32 with 10 rounds: counter, key, words."""

GOLDEN = [
    "0x1.4520e80000000p-2",
    "0x1.865dde0000000p-1",
    "0x1.5ac1520000000p-1",
    "0x1.8ae4480000000p-3",
    "0x1.9e10620000000p-1",
    "0x1.5678f00000000p-1",
    "0x1.5975e40000000p-2",
    "0x1.2637c00000000p-5",
]
"""Elements 5 to 12 of (42, "model.embed_tokens.weight", 1), by Philox in plain Python."""


def numbers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS, ids=["zeros", "ones", "pi"])
def test_philox_gives_the_published_answers(counter: str, key: str, expected: str) -> None:
    c0, c1, c2, c3 = numbers(counter)
    k0, k1 = numbers(key)
    drawn = words(Stream((k0, k1), (c2, c3)), 4 * (c0 | c1 << 32), 4)
    assert drawn.tolist() == numbers(expected)


@given(st.integers(0, 2**40), st.integers(0, 50), st.integers(0, 50))
def test_an_element_does_not_depend_on_where_drawing_starts(start: int, skipped: int, count: int) -> None:
    source = stream(7, "model.layers.0.weight")
    whole = words(source, start, skipped + count)
    assert whole.size == skipped + count
    assert np.array_equal(words(source, start + skipped, count), whole[skipped:])


def test_the_high_half_of_the_position_counts() -> None:
    source = stream(7, "w")
    assert not np.array_equal(words(source, 0, 4), words(source, 4 << 32, 4))


def test_a_stream_is_keyed_by_a_hash_of_seed_name_and_index() -> None:
    content = b"lineal.random.1" + b"\x02\0\0\0" + b"42" + b"\x06\0\0\0" + b"weight" + b"\x03\0\0\0"
    digest = blake3(content).digest()
    k0, k1, c2, c3 = (int.from_bytes(digest[4 * i : 4 * i + 4], "little") for i in range(4))
    assert stream(42, "weight", 3) == Stream((k0, k1), (c2, c3))


@pytest.mark.parametrize("other", [(43, "weight", 0), (42, "weights", 0), (42, "weight", 1), (-42, "weight", 0)])
def test_another_seed_name_or_index_is_another_sequence(other: tuple[int, str, int]) -> None:
    shared = np.isin(uniforms(*other, 0, 1000), uniforms(42, "weight", 0, 0, 1000)).mean()
    assert shared < 0.01


def test_seeds_of_any_size_are_told_apart() -> None:
    assert len({stream(seed, "w") for seed in (0, 2**32, 2**64, 2**128, -1)}) == 5


def test_uniforms_are_these_for_all_time() -> None:
    drawn = uniforms(42, "model.embed_tokens.weight", 1, 5, len(GOLDEN))
    assert [float(uniform).hex() for uniform in drawn] == GOLDEN


def test_uniforms_are_the_upper_24_bits_of_the_words() -> None:
    drawn = uniforms(1, "w", 0, 0, 4096)
    exact = words(stream(1, "w", 0), 0, 4096).astype(np.float64)
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn.astype(np.float64), np.floor(exact / 256) / 2**24)


def test_uniforms_are_uniform() -> None:
    drawn = uniforms(3, "w", 0, 0, 1 << 18).astype(np.float64)
    assert 0 <= drawn.min() < drawn.max() < 1
    counts = np.histogram(drawn, bins=64, range=(0, 1))[0]
    expected = drawn.size / 64
    assert np.square(counts - expected).sum() / expected < 120  # chi-square with 63 degrees: 1 in 10^5 is above
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.01
