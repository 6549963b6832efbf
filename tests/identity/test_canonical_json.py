"""RFC 8785: one sequence of bytes for one value."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.derivation.canonical import canonical_json
from lineal.errors import DerivationError
from tests.identity import plain
from tests.identity.generate import GOLDEN, VALUES, golden

RFC_NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
"""Appendix B of the RFC: bits of a double, and its text."""


@pytest.mark.parametrize(("bits", "text"), RFC_NUMBERS.items())
def test_numbers_are_written_as_in_the_rfc(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(value) == text.encode()


def test_the_sample_of_the_rfc_is_written_as_there() -> None:
    sample = r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    expected = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )
    assert canonical_json(json.loads(sample)) == expected.encode()


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    names = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    written = canonical_json(dict.fromkeys(reversed(names), 0))
    assert [key for key, _ in json.loads(written, object_pairs_hook=list)] == names


def test_integers_beyond_2_to_the_53_are_strings() -> None:
    assert canonical_json([2**53 - 1, 2**53, -(2**53), 2**64]) == (
        b'[9007199254740991,"9007199254740992","-9007199254740992","18446744073709551616"]'
    )


def test_a_whole_float_and_an_integer_are_one_number() -> None:
    assert canonical_json({"a": 2.0}) == canonical_json({"a": 2}) == b'{"a":2}'


def test_tuples_are_arrays() -> None:
    assert canonical_json(((1, 2), [3])) == b"[[1,2],[3]]"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), [{"a": float("nan")}]])
def test_numbers_that_are_not_finite_are_refused(value: object) -> None:
    with pytest.raises(DerivationError, match="finite"):
        canonical_json(value)


@pytest.mark.parametrize("value", [b"bytes", {1: "a key"}, {1, 2}, object(), "\ud800", {"\udfff": 1}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(DerivationError):
        canonical_json(value)


def test_nesting_without_end_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DerivationError, match="nested"):
        canonical_json(deep)


@pytest.mark.parametrize("position", range(len(VALUES)))
def test_values_are_written_as_in_the_golden_file(position: int) -> None:
    expected = json.loads(GOLDEN.read_text())["canonical"][position]
    assert canonical_json(VALUES[position]) == expected.encode()


def test_the_golden_file_is_what_the_plain_implementation_writes() -> None:
    assert json.loads(GOLDEN.read_text()) == golden()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_value_is_written_as_the_plain_implementation_writes_it(value: object) -> None:
    assert canonical_json(value) == plain.canonical(value).encode()
