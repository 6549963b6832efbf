"""The full record of a derivation, its summary, and JSON there and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.derivation import (
    DataFile,
    Derivation,
    Distillation,
    FineTune,
    Input,
    Merge,
    Original,
    Prune,
    QuantizationType,
    Quantize,
    Step,
    canonical_json,
    format_hash,
)
from lineal.errors import DerivationError

A, B, C = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32

MERGE = Step(
    type="merge",
    method="ties",
    inputs=(Input("base", A), Input("parent", B)),
    options={"density": 0.5, "weights": [1, 2.5], "seed": "7"},
)

SUMMARIES: list[tuple[Step, Derivation]] = [
    (Step(type="original", method="import"), Original()),
    (Step(type="fine-tune", method="lora", inputs=(Input("parent", A),), options={"epochs": 3}), FineTune(A, 3)),
    (Step(type="fine-tune", method="full", inputs=(Input("parent", A),)), FineTune(A, 1)),
    (
        Step(
            type="distillation",
            method="logits",
            inputs=(Input("student", C), Input("teacher", B), Input("teacher", A)),
            options={"temperature": 2.0},
        ),
        Distillation(B, 2.0, (B, A)),
    ),
    (MERGE, Merge((A, B), "ties")),
    (Step(type="merge", method="adapter", inputs=(Input("base", A), Input("adapter", B))), Merge((A, B), "adapter")),
    (Step(type="merge", method="slices", inputs=(Input("parent", A),)), Merge((A,), "slices")),
    (
        Step(type="quantize", method="round", inputs=(Input("parent", A),), options={"scheme": "q8_0"}),
        Quantize(A, QuantizationType.Q8_0),
    ),
    (Step(type="quantize", method="bf16", inputs=(Input("parent", A),)), Quantize(A, QuantizationType.BF16)),
    (Step(type="prune", method="wanda", inputs=(Input("parent", A),), options={"sparsity": 0.5}), Prune(A, 0.5)),
]


@pytest.mark.parametrize(("step", "summary"), SUMMARIES)
def test_a_step_is_summarized_by_one_of_the_six_kinds(step: Step, summary: Derivation) -> None:
    assert step.derivation == summary


@pytest.mark.parametrize(("step", "_summary"), SUMMARIES)
def test_a_step_is_read_back_from_its_json(step: Step, _summary: Derivation) -> None:
    for written in (json.dumps(step.to_json()), canonical_json(step.to_json())):
        read = Step.from_json(json.loads(written))
        assert (read, read.derivation_id) == (step, step.derivation_id)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_options_are_read_back(options: dict[str, Any]) -> None:
    step = Step(type="original", method="scratch", options=options)
    read = Step.from_json(json.loads(canonical_json(step.to_json())))
    assert (read, read.derivation_id) == (step, step.derivation_id)


def test_a_record_has_every_field() -> None:
    assert MERGE.to_json() == {
        "type": "merge",
        "method": "ties",
        "version": 1,
        "inputs": [{"role": "base", "model": format_hash(A)}, {"role": "parent", "model": format_hash(B)}],
        "options": {"density": 0.5, "weights": [1, 2.5], "seed": "7"},
        "data": [],
    }


def test_large_integers_in_options_are_strings() -> None:
    assert Step(type="original", method="scratch", options={"seed": 2**53}).options["seed"] == str(2**53)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "mix"}, "unknown derivation type 'mix'"),
    ({"method": ""}, "method is empty"),
    ({"method": 5}, "method"),
    ({"version": 0}, "version"),
    ({"version": "1"}, "version"),
    ({"version": True}, "version"),
    ({"inputs": ()}, "needs 2 parents, got 0"),
    ({"options": {"density": float("nan")}}, "finite"),
    ({"options": ["density"]}, "options"),
    ({"type": "fine-tune", "inputs": (Input("base", A),)}, "exactly one parent is needed, got 0"),
    ({"type": "fine-tune", "inputs": (Input("parent", A), Input("parent", B))}, "exactly one parent"),
    ({"type": "fine-tune", "inputs": (Input("parent", A),), "options": {"epochs": 0}}, "epochs"),
    ({"type": "distillation", "inputs": (Input("student", A),), "options": {"temperature": 1}}, "32 bytes"),
    ({"type": "distillation", "inputs": (Input("teacher", A),)}, "temperature"),
    ({"type": "prune", "inputs": (Input("parent", A),)}, "sparsity"),
    ({"type": "quantize", "inputs": (Input("parent", A),)}, "unknown quantization type 'ties'"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_has_no_valid_summary_is_no_step(change: dict[str, Any], message: str) -> None:
    fields = {"type": "merge", "method": "ties", "inputs": MERGE.inputs, "options": {}}
    with pytest.raises(DerivationError, match=message):
        Step(**{**fields, **change})


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DerivationError, match=r"'donor' .known: base, parent, teacher, student, adapter"):
        Input("donor", A)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["", "data/a.txt", "/a.txt", "..\\a.txt"])
def test_data_files_are_recorded_without_their_folder(name: str) -> None:
    with pytest.raises(DerivationError, match="bare name"):
        DataFile(name, A)


RECORD: dict[str, Any] = json.loads(json.dumps(MERGE.to_json()))
NO_STEPS: list[Any] = [
    None,
    [],
    {},
    {key: value for key, value in RECORD.items() if key != "version"},
    {**RECORD, "note": "an unknown field"},
    {**RECORD, "inputs": None},
    {**RECORD, "inputs": ["b3:00"]},
    {**RECORD, "inputs": [{"role": "base"}]},
    {**RECORD, "inputs": [{"role": "base", "model": "b3:00"}]},
    {**RECORD, "inputs": [{**RECORD["inputs"][0], "name": "unknown"}, RECORD["inputs"][1]]},
    {**RECORD, "options": []},
    {**RECORD, "options": "density"},
    {**RECORD, "data": [{"name": 5, "hash": format_hash(A)}]},
    {**RECORD, "data": [{"name": "a.txt"}]},
    {**RECORD, "type": "fine-tune", "options": None},
]


@pytest.mark.parametrize("record", NO_STEPS)
def test_json_that_is_no_step_is_refused(record: object) -> None:
    with pytest.raises(DerivationError):
        Step.from_json(record)
