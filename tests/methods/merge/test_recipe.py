"""Recipes: what they refuse, what they record, and the options that each tensor gets."""

import json
from typing import Any

import pytest

from lineal.derivation.canonical import canonical_json
from lineal.errors import MethodError
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.merge.ties import Ties
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from lineal.methods.recipe.settings import Rule

BASE = Stretch(model=0)
WHOLE = Part(base=BASE, models=(Stretch(model=1), Stretch(model=2)))


def ties(**fields: Any) -> MergeRecipe:
    return MergeRecipe(**{"method": "ties", "method_version": Ties.version, "parts": (WHOLE,), **fields})


def test_a_recipe_is_the_same_after_json_there_and_back() -> None:
    stretch = Stretch(model=1, options={"weights": (Rule(value=(0.0, 0.5), filter="mlp"), Rule(value=1.0))})
    recipe = ties(
        parts=(Part(base=BASE, models=(stretch, Stretch(model=2)), options={"density": (Rule(value=0.5),)}),),
        options_={"weights": (Rule(value=2.0),), "normalize": (Rule(value=True),)},
        dtype="BF16",
    )
    recorded = json.loads(canonical_json(recipe.options()))
    assert MergeRecipe.from_options(recorded) == recipe
    assert recorded["parts"][0]["models"][0]["options"]["weights"][0] == {"filter": "mlp", "value": [0.0, 0.5]}


def test_the_method_s_version_is_recorded_where_it_is_not_the_first() -> None:
    linear = MergeRecipe(method="linear", parts=(Part(models=(Stretch(model=0), Stretch(model=1))),))
    assert "method_version" not in linear.options()
    assert ties().options()["method_version"] == 2


def test_a_record_without_a_version_is_of_the_first() -> None:
    recorded = {key: value for key, value in ties().options().items() if key != "method_version"}
    with pytest.raises(MethodError, match="made under version 1 of ties, and this lineal computes version 2"):
        MergeRecipe.from_options(recorded)


def test_each_level_comes_before_the_next() -> None:
    model = Stretch(model=1, options={"weights": (Rule(value=3.0, filter="mlp"),)})
    part = Part(base=BASE, models=(model, Stretch(model=2)), options={"weights": (Rule(value=2.0, filter="q_proj"),)})
    recipe = ties(parts=(part,), options_={"weights": (Rule(value=(0.0, 1.0)),), "density": (Rule(value=1.0),)})
    found = {name: recipe.method_at(part, name, 0.25) for name in ("mlp.up", "q_proj", "norm")}
    assert found == {
        "mlp.up": Ties(weights=(3.0, 0.25), density=(1.0, 1.0)),
        "q_proj": Ties(weights=(2.0, 2.0), density=(1.0, 1.0)),
        "norm": Ties(weights=(0.25, 0.25), density=(1.0, 1.0)),
    }


def test_an_option_that_is_not_mentioned_is_the_method_s_default() -> None:
    assert ties().method_at(WHOLE, "norm", 0.0) == Ties()


def test_of_one_model_every_option_may_be_its_own() -> None:
    part = Part(models=(Stretch(model=0, options={"scale": (Rule(value=0.5),)}),))
    recipe = MergeRecipe(method="passthrough", parts=(part,))
    assert recipe.method_at(part, "norm", 0.0) == Passthrough(scale=0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "tise"}, r"unknown merge method 'tise' \(did you mean ties\?\)"),
        ({"method": "recipe", "method_version": 1}, "'recipe' is itself a recipe"),
        ({"method_version": 1}, "made under version 1 of ties, and this lineal computes version 2"),
        ({"parts": ()}, "at least one part"),
        ({"parts": (WHOLE, WHOLE)}, "of several parts each needs a range of blocks"),
        ({"dtype": "F8_E4M3"}, "dtype must be one of F32, BF16, F16"),
        ({"parts": (Part(models=(Stretch(model=0),)),)}, "ties: a base is needed"),
        ({"method": "linear", "method_version": 1}, "linear: takes no base"),
        ({"options_": {"densty": (Rule(value=1.0),)}}, r"unknown option 'densty' \(did you mean density\?\)"),
    ],
)
def test_what_makes_no_recipe_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(MethodError, match=message):
        ties(**fields)


def test_an_option_of_all_models_cannot_be_given_for_one() -> None:
    model = Stretch(model=1, options={"lambda": (Rule(value=0.5),)})
    with pytest.raises(MethodError, match="lambda is for all models"):
        ties(parts=(Part(base=BASE, models=(model, Stretch(model=2))),))


def test_an_option_of_some_models_only_is_refused() -> None:
    model = Stretch(model=1, options={"weights": (Rule(value=0.5),)})
    part = Part(base=BASE, models=(model, Stretch(model=2)))
    with pytest.raises(MethodError, match="weights is given for some models and not for others"):
        ties(parts=(part,)).method_at(part, "norm", 0.0)


@pytest.mark.parametrize("blocks", [(2, 2), (3, 1), (-1, 2)])
def test_a_range_that_holds_no_blocks_is_refused(blocks: tuple[int, int]) -> None:
    with pytest.raises(MethodError, match="is not a range of blocks"):
        Stretch(model=0, blocks=blocks)


def test_a_part_takes_as_many_blocks_of_every_model() -> None:
    with pytest.raises(MethodError, match="as many blocks of every model, got 2, 3"):
        Part(models=(Stretch(model=0, blocks=(0, 2)), Stretch(model=1, blocks=(0, 3))))
