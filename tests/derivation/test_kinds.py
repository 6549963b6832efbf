"""The six kinds of derivation: what they hold, what they refuse, JSON there and back."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.derivation import (
    Derivation,
    Distillation,
    FineTune,
    Merge,
    Original,
    Prune,
    QuantizationType,
    Quantize,
    canonical_json,
    derivation_from_json,
    format_hash,
)
from lineal.errors import DerivationError

A, B, C = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
Q4 = QuantizationType.Q4_0

KINDS: list[tuple[Derivation, str, tuple[bytes, ...]]] = [
    (Original(), "original", ()),
    (FineTune(A, 3), "fine-tune", (A,)),
    (Distillation(A, 2.0), "distillation", (A,)),
    (Distillation(B, 2.0, (B, A)), "distillation", (B, A)),
    (Merge((B, A, C), "ties"), "merge", (B, A, C)),
    (Quantize(C, Q4), "quantize", (C,)),
    (Prune(A, 0.5), "prune", (A,)),
]


@pytest.mark.parametrize(("derivation", "type_name", "parents"), KINDS)
def test_a_derivation_answers_its_type_and_parents(
    derivation: Derivation, type_name: str, parents: tuple[bytes, ...]
) -> None:
    assert derivation.type_name == type_name
    assert derivation.parent_hashes == parents
    assert derivation.is_derived is (type_name != "original")


REFUSED: list[tuple[Callable[[], Derivation], str]] = [
    (lambda: FineTune(A, 0), "epochs"),
    (lambda: FineTune(A, -1), "epochs"),
    (lambda: FineTune(A, 1.5), "epochs"),  # pyright: ignore[reportArgumentType]
    (lambda: FineTune(A, True), "epochs"),
    (lambda: FineTune(bytes(31), 1), "32 bytes"),
    (lambda: Distillation(A, 0.0), "temperature"),
    (lambda: Distillation(A, -1.0), "temperature"),
    (lambda: Distillation(A, float("inf")), "temperature"),
    (lambda: Distillation(A, float("nan")), "temperature"),
    (lambda: Distillation(A, None), "temperature"),  # pyright: ignore[reportArgumentType]
    (lambda: Distillation(A, 1.0, (B, A)), "first of teacher_hashes"),
    (lambda: Distillation(A, 1.0, (A, b"short")), "32 bytes"),
    (lambda: Merge((), "linear"), "needs 2 parents, got 0"),
    (lambda: Merge((A,), "linear"), "needs 2 parents, got 1"),
    (lambda: Merge((), "passthrough"), "needs 1 parents, got 0"),
    (lambda: Merge((A, B), ""), "method is empty"),
    (lambda: Merge((A, "b"), "linear"), "32 bytes"),  # pyright: ignore[reportArgumentType]
    (lambda: Quantize(A, "q4_0"), "QuantizationType"),  # pyright: ignore[reportArgumentType]
    (lambda: Quantize(b"", Q4), "32 bytes"),
    (lambda: Prune(A, -0.1), "sparsity"),
    (lambda: Prune(A, 1.0), "sparsity"),
    (lambda: Prune(A, float("nan")), "sparsity"),
    (lambda: Prune(A, "half"), "sparsity"),  # pyright: ignore[reportArgumentType]
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_cannot_be_is_refused(make: Callable[[], Derivation], message: str) -> None:
    with pytest.raises(DerivationError, match=message):
        make()


@pytest.mark.parametrize("method", ["passthrough", "slices", "adapter", "extract", "unmerge"])
def test_one_parent_is_enough_for_slices_and_adapter_operations(method: str) -> None:
    assert Merge((A,), method).parent_hashes == (A,)


def test_the_ends_of_ranges_that_are_allowed_are_allowed() -> None:
    assert Prune(A, 0.0).sparsity == 0
    assert FineTune(A, 1).epochs == 1
    assert Distillation(A, 1).temperature == 1


def test_parents_keep_their_order() -> None:
    assert Merge((A, B), "slerp") != Merge((B, A), "slerp")
    assert Distillation(A, 1.0, (A, B)) != Distillation(B, 1.0, (B, A))


def test_one_teacher_may_be_given_either_way() -> None:
    assert Distillation(A, 2.0) == Distillation(A, 2.0, (A,))


def test_derivations_are_equal_by_value_and_hash_alike() -> None:
    assert Merge([A, B], "ties") == Merge((A, B), "ties")  # pyright: ignore[reportArgumentType]
    assert len({Prune(A, 0.5), Prune(A, 0.5), Prune(A, 0.25), Original(), Original()}) == 3


@pytest.mark.parametrize(("derivation", "_type_name", "_parents"), KINDS)
def test_derivations_cannot_be_changed(derivation: Derivation, _type_name: str, _parents: tuple[bytes, ...]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        derivation.parent_hashes = ()


HASHES = st.binary(min_size=32, max_size=32)
TEMPERATURES = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
DERIVATIONS: st.SearchStrategy[Derivation] = st.one_of(
    st.just(Original()),
    st.builds(FineTune, HASHES, st.integers(1, 2**53 - 1)),
    st.builds(
        lambda t, teachers: Distillation(teachers[0], t, tuple(teachers)), TEMPERATURES, st.lists(HASHES, min_size=1)
    ),
    st.builds(Merge, st.lists(HASHES, min_size=2), st.text(min_size=1)),
    st.builds(Quantize, HASHES, st.sampled_from(QuantizationType)),
    st.builds(Prune, HASHES, st.floats(0, 1, exclude_max=True)),
)


@given(DERIVATIONS)
def test_json_there_and_back_is_the_same_derivation(derivation: Derivation) -> None:
    record = derivation.to_json()
    assert record["type"] == derivation.type_name
    assert derivation_from_json(json.loads(json.dumps(record))) == derivation


@given(DERIVATIONS)
def test_canonical_json_there_and_back_is_the_same_derivation(derivation: Derivation) -> None:
    read = derivation_from_json(json.loads(canonical_json(derivation.to_json())))
    assert (read, read.parent_hashes) == (derivation, derivation.parent_hashes)


def test_fields_stand_in_json_under_their_names() -> None:
    assert FineTune(A, 2).to_json() == {"type": "fine-tune", "parent_hash": format_hash(A), "epochs": 2}
    assert Quantize(A, Q4).to_json() == {"type": "quantize", "parent_hash": format_hash(A), "quant_type": "q4_0"}
    assert Distillation(A, 1.0, (A, B)).to_json()["teacher_hashes"] == [format_hash(A), format_hash(B)]


HEX = format_hash(A)
NO_DERIVATIONS: list[Any] = [
    None,
    [],
    "original",
    {},
    {"type": None},
    {"type": ["merge"]},
    {"type": "mix"},
    {"type": "original", "parent_hash": HEX},
    {"type": "fine-tune", "parent_hash": HEX},
    {"type": "fine-tune", "parent_hash": HEX, "epochs": "3"},
    {"type": "fine-tune", "parent_hash": HEX[:-1], "epochs": 3},
    {"type": "fine-tune", "parent_hash": HEX, "epochs": 3, "lr": 1},
    {"type": "merge", "parent_hashes": HEX, "method": "ties"},
    {"type": "merge", "parent_hashes": [HEX], "method": "ties"},
    {"type": "merge", "parent_hashes": 2, "method": "ties"},
    {"type": "merge", "parent_hashes": [HEX, HEX], "method": 5},
    {"type": "distillation", "temperature": 1.0},
    {"type": "distillation", "temperature": 1.0, "teacher_hashes": []},
    {"type": "distillation", "temperature": 1.0, "teacher_hash": HEX, "teacher_hashes": [HEX]},
    {"type": "quantize", "parent_hash": HEX, "quant_type": "q4_k_x"},
    {"type": "prune", "parent_hash": HEX, "sparsity": 1},
]


@pytest.mark.parametrize("record", NO_DERIVATIONS)
def test_json_that_is_no_derivation_is_refused(record: object) -> None:
    with pytest.raises(DerivationError):
        derivation_from_json(record)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        DerivationError, match=r"'mix' .known: original, fine-tune, distillation, merge, quantize, prune"
    ):
        derivation_from_json({"type": "mix"})
