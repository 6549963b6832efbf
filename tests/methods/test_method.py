"""Options of methods: written, read, and refused with all faults at once."""

from collections.abc import Callable
from typing import Any

import pytest

from lineal.derivation import Step
from lineal.errors import MethodError
from lineal.methods.merge.dare import DareTies
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from lineal.methods.method import Method, nearest
from tests.examples import MERGES, Example


@pytest.mark.parametrize("example", MERGES, ids=lambda example: example.id)
def test_options_there_and_back_are_the_same_method(example: Example) -> None:
    options = example.method.options()
    assert type(example.method).from_options(options) == example.method
    inputs = ()
    record = Step(type="original", method="any", inputs=inputs, options=options).options
    assert type(example.method).from_options(record) == example.method


@pytest.mark.parametrize("example", MERGES, ids=lambda example: example.id)
def test_every_field_is_an_option(example: Example) -> None:
    assert tuple(example.method.options()) == type(example.method).option_names()


def test_options_are_written_in_json_types_and_seeds_as_strings() -> None:
    assert DareTies(weights=(1, 2.5), seed=2**63).options() == {
        "density": 0.5,
        "weights": [1, 2.5],
        "lambda": 1.0,
        "normalize": False,
        "rescale": True,
        "seed": str(2**63),
    }


def test_options_are_coerced_to_their_types() -> None:
    method = DareTies.from_options({"density": 1, "weights": ["0.5", 2], "lambda": "3", "seed": "9", "rescale": 0})
    assert method == DareTies(density=1.0, weights=(0.5, 2.0), lambda_=3.0, seed=9, rescale=False)


REFUSED: list[tuple[type[Method], dict[str, Any], str]] = [
    (Ties, {"density": 0}, r"ties: density must be in \(0, 1\], got 0"),
    (Ties, {"density": 1.01}, "density"),
    (Ties, {"density": -0.5}, "density"),
    (Ties, {"density": "nan"}, "density must be a finite number"),
    (Ties, {"lambda": float("inf")}, "lambda must be a finite number"),
    (Ties, {"weights": [1, float("nan")]}, r"weights\.1 must be a finite number"),
    (Ties, {"densitiy": 0.5}, "unknown option 'densitiy' .did you mean density"),
    (Ties, {"xyz": 1}, r"unknown option 'xyz' \(known: density, lambda, normalize, weights\)"),
    (Ties, {"density": "half"}, "density must be .* got 'half'"),
    (Ties, {"density": None}, "density"),
    (Ties, {"weights": 0.5}, "weights"),
    (Ties, {"normalize": "maybe"}, "normalize"),
    (DareTies, {"density": 0.0}, "density"),
    (DareTies, {"density": 2}, "density"),
    (DareTies, {"seed": 1.5}, "seed"),
    (Slerp, {"t": -0.1}, "slerp: t must be in"),
    (Slerp, {"t": 1.1}, "slerp: t must be in"),
    (Slerp, {"t": float("nan")}, "t must be a finite number"),
    (Slerp, {"nearly_parallel": 0}, "nearly_parallel"),
    (Slerp, {"nearly_parallel": 1.5}, "nearly_parallel"),
]


@pytest.mark.parametrize(("method", "options", "message"), REFUSED)
def test_an_option_out_of_its_range_is_refused(method: type[Method], options: dict[str, Any], message: str) -> None:
    with pytest.raises(MethodError, match=message):
        method.from_options(options)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(MethodError) as caught:
        DareTies.from_options({"density": "x", "seed": "y", "weight": [1]})
    assert all(word in str(caught.value) for word in ("density", "seed", "unknown option 'weight'", "weights"))
    assert "\n" not in str(caught.value)


PARENTS: list[tuple[Callable[[], None], str]] = [
    (lambda: Slerp().check(3, has_base=False), "exactly two models are needed, got 3"),
    (lambda: Slerp().check(1, has_base=False), "exactly two models are needed, got 1"),
    (lambda: Slerp().check(2, has_base=True), "takes no base"),
    (lambda: Linear().check(0, has_base=False), "at least one model"),
    (lambda: Linear(weights=(1, 2)).check(3, has_base=False), "2 weights for 3 models"),
    (lambda: Linear(weights=(1, -1)).check(2, has_base=False), "sum to 0"),
    (lambda: Linear(weights=(1e39,)).check(2, has_base=False), "finite in float32"),
    (lambda: Linear().check(2, has_base=True), "takes no base"),
    (lambda: Ties().check(2, has_base=False), "a base is needed"),
    (lambda: Ties().check(0, has_base=True), "at least one model"),
    (lambda: Ties(weights=(1, 2, 3)).check(2, has_base=True), "3 weights for 2 models"),
    (lambda: DareTies().check(2, has_base=False), "a base is needed"),
    (lambda: TaskArithmetic().check(2, has_base=False), "a base is needed"),
    (lambda: TaskArithmetic(weights=(1, -1), normalize=True).check(2, has_base=True), "sum to 0"),
]


@pytest.mark.parametrize(("check", "message"), PARENTS)
def test_parents_that_a_method_cannot_have_are_refused(check: Callable[[], None], message: str) -> None:
    with pytest.raises(MethodError, match=message):
        check()


def test_a_near_name_is_suggested_and_else_all_are_listed() -> None:
    assert nearest("tise", ["ties", "linear"]) == "did you mean ties?"
    assert nearest("qqq", ["ties", "linear"]) == "known: linear, ties"
