"""Hashes are 32 bytes inside, `b3:` and 64 hex digits outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.derivation import HASH_LENGTH, format_hash, parse_hash
from lineal.errors import DerivationError


def test_a_hash_is_written_with_its_algorithm() -> None:
    assert format_hash(bytes(range(32))) == "b3:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"


@given(st.binary(min_size=HASH_LENGTH, max_size=HASH_LENGTH))
def test_a_written_hash_is_read_back(digest: bytes) -> None:
    assert parse_hash(format_hash(digest)) == digest


ZEROS = "0" * 64


@pytest.mark.parametrize(
    "text", ["", "b3:", "b3:00", ZEROS, f"B3:{ZEROS}", f" b3:{ZEROS}", f"b3:{ZEROS}\n", f"b3:{ZEROS}0"]
)
def test_a_hash_is_written_in_one_way_only(text: str) -> None:
    with pytest.raises(DerivationError, match="not a hash"):
        parse_hash(text)


@pytest.mark.parametrize("text", ["b3:" + "A" * 64, "b3:" + "g" * 64, "b3:" + "\u0660" * 64, None, 7, bytes(32)])
def test_anything_else_is_no_hash(text: object) -> None:
    with pytest.raises(DerivationError, match="not a hash"):
        parse_hash(text)


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33), bytearray(32), "00" * 16, None])
def test_only_32_bytes_are_written(digest: object) -> None:
    with pytest.raises(DerivationError, match="32 bytes"):
        format_hash(digest)  # pyright: ignore[reportArgumentType]
