"""What is said of wrong options: the option, what it must be and what was given, never a library's own phrases."""

import re
from typing import Any

import pytest

from lineal.errors import MethodError
from lineal.methods.catalogue import methods
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.lora import Lora
from lineal.methods.merge.ties import Ties
from lineal.methods.method import Method
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe

WRONG: tuple[Any, ...] = (
    *(None, True, "word", "", -1, 0, 1.5, 10**30, float("inf"), float("nan"), "1e999", b"x", object()),
    *([], [[]], [None], [1, "x"], [[1, 2, 3]], {}, {"a": 1}, {"layer_mapping": "x"}, {"layer_mapping": [[0, "a"]]}),
    *({"layer_mapping": [[0, 1, 2]]}, {"layer_mapping": [[0, 1]], "zz": 1}, {"layer_mapping": [[-1, 1]]}),
)
"""Values of every type: whatever an option is, most of them are wrong."""
PHRASES = re.compile(r"Input should|Value error|unable to|instance of|after validation|Extra inputs|\n")


def what_is_said(method: type[Method], option: str, value: object) -> str:
    try:
        method.from_options({option: value})
    except MethodError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("method", methods().values(), ids=lambda method: f"{method.kind} {method.name}")
def test_a_wrong_value_of_any_option_is_told_in_our_own_words(method: type[Method]) -> None:
    for option in method.option_names():
        told = [said for value in WRONG if (said := what_is_said(method, option, value))]
        assert told, f"every value passes as {option}"
        assert not [said for said in told if PHRASES.search(said)]


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        (Ties, {"weights": 0.5}, "ties: weights must be a list of finite numbers, got 0.5"),
        (Ties, {"weights": [1, "two"]}, "ties: weights.1 must be a finite number, got 'two'"),
        (Ties, {"density": None}, "ties: density must be a finite number or a list of finite numbers, got None"),
        (Ties, {"normalize": "maybe"}, "ties: normalize must be true or false, got 'maybe'"),
        (Lora, {"target_modules": 3}, "lora: target_modules must be a list of texts or text, got 3"),
        (Distill, {"tokens": "many"}, "distill: tokens: a count of tokens is an integer, or a number with k, M or B"),
        (Distill, {"combine": "sum"}, "distill: combine must be one of logits, probabilities, got 'sum'"),
        (Distill, {"progressive": {"layer_maping": []}}, "unknown option 'progressive.layer_maping' (did you mean"),
        (Distill, {"progressive": {}}, "distill: the option 'progressive.layer_mapping' is needed"),
        (
            Distill,
            {"progressive": {"layer_mapping": [[0, 1, 2]]}},
            "distill: progressive.layer_mapping.0 must be [an integer, an integer], got [0, 1, 2]",
        ),
        (
            MergeRecipe,
            {"method": "linear", "parts": [{"models": [{"model": "x"}]}]},
            "recipe: parts.0.models.0.model must be an integer, got 'x'",
        ),
        (GgufQuantization, {"scheme": "q9"}, "gguf: scheme must be one of f32, f16, bf16, q8_0, q4_0, q4_1, "),
    ],
)
def test_a_wrong_option_is_told_by_its_place_and_what_it_must_be(
    method: type[Method], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(MethodError, match=re.escape(said)):
        method.from_options(options)


def test_a_scheme_may_be_written_in_either_case_and_is_recorded_in_one() -> None:
    assert GgufQuantization.from_options({"scheme": "Q8_0"}).options() == {"scheme": "q8_0"}
