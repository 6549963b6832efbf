"""The recipe of a distillation: options there and back, and what is refused before anything is read."""

from typing import Any

import pytest

from lineal.derivation import Distillation, Input, Step
from lineal.errors import MethodError
from lineal.methods.distill.distill import Attention, Distill, Progressive

RECIPE: dict[str, Any] = {
    "temperature": 3,
    "alpha": 0.25,
    "weights": [2, 1],
    "combine": "probabilities",
    "layers": 2,
    "progressive": {"layer_mapping": [[0, 1], [1, 3]], "form": "cosine"},
    "attention": {"layer_mapping": [[1, 3]]},
    "tokens": "1k",
}


def test_options_are_those_of_the_recipe_and_come_back_from_a_record():
    method = Distill.from_options(RECIPE)
    assert method.progressive == Progressive(layer_mapping=((0, 1), (1, 3)), form="cosine")
    assert method.attention == Attention(layer_mapping=((1, 3),))
    options = method.options()
    assert options["progressive"] == {"layer_mapping": [[0, 1], [1, 3]], "hidden_weight": 1.0, "form": "cosine"}
    assert options["tokens"] == 1000
    assert Distill.from_options(options) == method


def test_a_step_and_its_summary_come_back_from_json():
    inputs = (Input("teacher", b"\x01" * 32), Input("teacher", b"\x02" * 32), Input("student", b"\x03" * 32))
    step = Step(type="distillation", method="distill", inputs=inputs, options=Distill.from_options(RECIPE).options())
    assert Step.from_json(step.to_json()) == step
    assert step.derivation == Distillation(b"\x01" * 32, 3.0, (b"\x01" * 32, b"\x02" * 32))
    assert [i.role for i in step.inputs] == ["teacher", "teacher", "student"]


def test_blocks_are_kept_evenly_spaced_from_the_first():
    assert Distill().kept_blocks(4) == (0, 1, 2, 3)
    assert Distill(layers=2).kept_blocks(4) == (0, 2)
    assert Distill(layers=3).kept_blocks(8) == (0, 2, 5)
    assert Distill(layers=(1, 3)).kept_blocks(4) == (1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature must be finite and above 0, got 0"),
        ({"temperature": float("inf")}, "temperature"),
        ({"alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"alpha": -0.1}, "alpha"),
        ({"weights": [0, 0]}, "weights must be finite, not negative and not all 0"),
        ({"weights": [1, -1]}, "weights"),
        ({"combine": "votes"}, "combine"),
        ({"layers": 0}, "layers must be an integer of at least 1, got 0"),
        ({"layers": []}, "layers"),
        ({"layers": [2, 1]}, "layers must be a count, or the numbers of blocks in rising order"),
        ({"layers": [-1, 1]}, "rising order"),
        ({"progressive": {}}, "progressive.layer_mapping"),
        ({"progressive": {"layer_mapping": []}}, "the layer mapping is empty"),
        ({"progressive": {"layer_mapping": [[0, 1]], "hidden_weight": -1}}, "hidden_weight"),
        ({"progressive": {"layer_mapping": [[0, 1]], "form": "l1"}}, "progressive.form"),
        ({"progressive": {"layer_mapping": [[0, 1]], "projection": 3}}, "progressive.projection"),
        ({"attention": {"weight": -1}}, "attention transfer: weight"),
        ({"temprature": 2}, r"unknown option 'temprature' \(did you mean temperature\?\)"),
    ],
)
def test_what_cannot_be_taught_is_refused(options, message):
    with pytest.raises(MethodError, match=message):
        Distill.from_options(options)


@pytest.mark.parametrize(("weights", "count"), [((1, 1), 3), ((1,), 2), ((), 0)])
def test_a_number_of_teachers_that_does_not_fit_is_refused(weights, count):
    with pytest.raises(MethodError, match="teacher"):
        Distill(weights=weights).check_models(count)
