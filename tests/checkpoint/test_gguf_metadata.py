"""Typed values: what can be one, what it hashes to, and which alignment a file asks for."""

from typing import Any

import pytest
from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value, alignment_of, gguf_package
from lineal.errors import CheckpointError

U8, U32, F32, BOOL, TEXT, LIST = (
    GGUFValueType[name] for name in ("UINT8", "UINT32", "FLOAT32", "BOOL", "STRING", "ARRAY")
)


@pytest.mark.parametrize(
    ("kind", "content", "items"),
    [
        (LIST, (1,), None),
        (LIST, 1, U8),
        (U8, (1,), None),
        (U8, 1, U8),
        (LIST, ((1,),), LIST),
    ],
    ids=["no kind of items", "no items", "items of no array", "a kind of no items", "an array of arrays"],
)
def test_an_array_has_items_of_one_kind_and_nothing_else_has(kind: Any, content: Any, items: Any) -> None:
    with pytest.raises(CheckpointError, match=r"an array has a tuple|arrays of arrays"):
        Value(kind, content, items)


@pytest.mark.parametrize(
    "value", [Value(U8, 256), Value(U8, -1), Value(U32, "four"), Value(LIST, (1, 300), U8)], ids=str
)
def test_content_that_its_kind_cannot_store_has_no_hash(value: Value) -> None:
    with pytest.raises(CheckpointError, match="cannot be stored as"):
        _ = value.content_hash


def test_values_hash_by_kind_and_content() -> None:
    values = [
        Value(U8, 1),
        Value(U32, 1),
        Value(BOOL, True),
        Value(F32, 1.0),
        Value(TEXT, "1"),
        Value(TEXT, ""),
        Value(LIST, (1,), U8),
        Value(LIST, (1,), U32),
        Value(LIST, (True,), BOOL),
        Value(LIST, ("1",), TEXT),
        Value(LIST, ("1", ""), TEXT),
        Value(LIST, (), TEXT),
        Value(LIST, (), U8),
        Value(TEXT, "\udcff"),
        Value(TEXT, "ÿ"),
    ]
    assert len({value.content_hash for value in values}) == len(values)


def test_strings_cannot_slide_into_one_another() -> None:
    assert Value(LIST, ("ab", "c"), TEXT).content_hash != Value(LIST, ("a", "bc"), TEXT).content_hash


def test_a_long_key_that_only_begins_like_provenance_counts() -> None:
    keys = ("general.name", "general.name.first", "general.tag", "general.dataset.0.url", "x.general.name", "split")
    assert gguf_package({key: Value(U8, 1) for key in keys}).keys() == {
        "general.name.first",
        "general.tag",
        "x.general.name",
        "split",
    }


def test_the_alignment_is_32_unless_a_power_of_two_is_given() -> None:
    assert alignment_of({}) == 32
    assert alignment_of({"general.alignment": Value(U32, 64)}) == 64


@pytest.mark.parametrize(
    "value", [Value(U32, 0), Value(U32, 48), Value(U32, 1 << 21), Value(U8, 32), Value(TEXT, "32")]
)
def test_another_alignment_is_refused(value: Value) -> None:
    with pytest.raises(CheckpointError, match=r"general\.alignment is .*; a UINT32 is needed, a power of two"):
        alignment_of({"general.alignment": value})
