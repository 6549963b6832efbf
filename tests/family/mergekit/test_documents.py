"""mergekit's YAML: every kind of recipe of its documentation is read."""

from pathlib import Path

import pytest

from lineal.methods.merge.dare import DareTies
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.ties import Ties
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from lineal.methods.recipe.settings import Rule
from tests.family.mergekit.reading import faults, inputs, method, read

TIES = """
models:
  - model: c # no parameters necessary for base model
  - model: a
    parameters:
      density: 0.5
      weight: 0.5
  - model: b
    parameters:
      density: 0.5
      weight: 0.3
merge_method: ties
base_model: c
parameters:
  normalize: false
  int8_mask: true
"""


def test_a_recipe_without_anything_special_is_the_method_alone(tmp_path: Path) -> None:
    assert method(tmp_path, TIES) == Ties(density=(0.5, 0.5), weights=(0.5, 0.3), normalize=False)
    assert inputs(tmp_path, TIES) == [("base", "c"), ("parent", "a"), ("parent", "b")]


def test_what_is_not_given_is_what_mergekit_takes(tmp_path: Path) -> None:
    text = "{merge_method: dare_ties, base_model: c, models: [{model: a}, {model: b}], parameters: {weight: 1e-1}}"
    assert method(tmp_path, text) == DareTies(density=(1.0, 1.0), weights=(0.1, 0.1))


def test_slerp_begins_at_the_base_wherever_that_is_listed(tmp_path: Path) -> None:
    for models in ("[{model: b}]", "[{model: b}, {model: a}]", "[{model: a}, {model: b}]"):
        text = f"{{merge_method: slerp, base_model: a, models: {models}, parameters: {{t: 0.25}}}}"
        assert inputs(tmp_path, text) == [("parent", "a"), ("parent", "b")]
        assert method(tmp_path, text) == Slerp(t=0.25)


def test_a_base_that_a_method_has_no_use_for_is_one_more_model(tmp_path: Path) -> None:
    text = "{merge_method: linear, base_model: c, models: [{model: a}, {model: b}], parameters: {weight: 1}}"
    recipe = method(tmp_path, text)
    assert isinstance(recipe, MergeRecipe)
    assert [stretch.model for stretch in recipe.parts[0].models] == [1, 2, 0]
    assert inputs(tmp_path, text) == [("parent", "c"), ("parent", "a"), ("parent", "b")]


def test_a_model_is_handed_on_without_its_base(tmp_path: Path) -> None:
    text = "{merge_method: passthrough, base_model: c, models: [{model: a}]}"
    recipe = method(tmp_path, text)
    assert isinstance(recipe, MergeRecipe)
    assert recipe.parts == (Part(models=(Stretch(model=1),)),)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("weight: 1", NuSlerp(weights=(1.0, 1.0))),
        ("weight: 1, nuslerp_row_wise: true", NuSlerp(weights=(1.0, 1.0))),
        ("weight: 1, nuslerp_flatten: false", NuSlerp(weights=(1.0, 1.0), flatten=False, row_wise=True)),
        ("weight: 1, nuslerp_flatten: false, nuslerp_row_wise: true", NuSlerp(weights=(1.0, 1.0), flatten=False)),
    ],
)
def test_rows_and_columns_of_nuslerp_are_those_mergekit_interpolates(
    tmp_path: Path, parameters: str, expected: NuSlerp
) -> None:
    text = f"{{merge_method: nuslerp, models: [{{model: a}}, {{model: b}}], parameters: {{{parameters}}}}}"
    assert method(tmp_path, text) == expected


def test_slices_gradients_and_filters_become_parts_and_rules(tmp_path: Path) -> None:
    text = """
slices:
  - sources:
      - {model: a, layer_range: [0, 40]}
      - {model: b, layer_range: [0, 40], parameters: {}}
merge_method: slerp
base_model: a
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 1]
    - value: 0.5 # fallback for rest of tensors
dtype: float16
"""
    assert method(tmp_path, text) == MergeRecipe(
        method="slerp",
        parts=(Part(models=(Stretch(model=0, blocks=(0, 40)), Stretch(model=1, blocks=(0, 40)))),),
        options_={"t": (Rule(filter="self_attn", value=(0.0, 0.5, 1.0)), Rule(value=0.5))},
        dtype="F16",
    )


def test_a_frankenmerge_takes_runs_of_blocks(tmp_path: Path) -> None:
    text = """
slices:
  - sources: [{model: a, layer_range: [0, 24]}]
  - sources: [{model: b, layer_range: [20, 40], parameters: {scale: [{filter: o_proj, value: 0}]}}]
merge_method: passthrough
out_dtype: bfloat16
dtype: float32
"""
    scaled = {"scale": (Rule(filter="o_proj", value=0.0),)}
    assert method(tmp_path, text) == MergeRecipe(
        method="passthrough",
        parts=(
            Part(models=(Stretch(model=0, blocks=(0, 24)),)),
            Part(models=(Stretch(model=1, blocks=(20, 40), options=scaled),)),
        ),
        dtype="BF16",
    )


def test_one_module_is_what_it_holds(tmp_path: Path) -> None:
    text = "{merge_method: passthrough, modules: {default: {models: [{model: a}]}}}"
    assert isinstance(method(tmp_path, text), MergeRecipe)
    (fault,) = faults(tmp_path, "{merge_method: passthrough, modules: {text: {}, vision: {}}}")
    assert fault == "1: one module is supported, got text, vision"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a+b", [("parent", "b"), ("base", "a")]),
        ("{model: {path: a}}", [("parent", "a")]),
        ("{model: a, lora: {path: b}}", [("parent", "b"), ("base", "a")]),
    ],
)
def test_models_are_named_as_mergekit_names_them(tmp_path: Path, written: str, expected: list[tuple[str, str]]) -> None:
    text = f"{{merge_method: passthrough, models: [{{model: {written}}}]}}"
    assert inputs(tmp_path, text) == expected


def test_a_folder_here_needs_no_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama").mkdir()
    monkeypatch.chdir(tmp_path)
    assert inputs(tmp_path, "{merge_method: passthrough, models: [{model: llama}]}") == [("parent", "./llama")]


STAGES = """
slices: [{sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [0, 2]}]}]
merge_method: slerp
base_model: a
parameters: {t: 0.5}
out_path: ./models/gradient-slerp
---
name: second
merge_method: linear
models: [{model: ./models/gradient-slerp}, {model: b}]
parameters: {weight: 1}
---
merge_method: ties
base_model: c
models: [{model: second}, {model: a}]
parameters: {weight: 1, density: 0.5}
"""


def test_stages_name_each_other_and_come_in_order(tmp_path: Path) -> None:
    stages = read(tmp_path, STAGES)
    assert list(stages) == ["gradient-slerp", "second", "out"]
    assert [r.model for r in stages["second"].inputs] == ["gradient-slerp", "b"]
    assert [r.model for r in stages["out"].inputs] == ["c", "second", "a"]


def test_where_all_stages_have_names_the_last_is_what_is_asked_for(tmp_path: Path) -> None:
    named = STAGES.replace("merge_method: ties", "name: third\nmerge_method: ties")
    assert list(read(tmp_path, named)) == ["gradient-slerp", "second", "out"]


def test_linear_needs_no_weights_here(tmp_path: Path) -> None:
    assert method(tmp_path, "{merge_method: linear, models: [{model: a}, {model: b}]}") == Linear()
    assert method(tmp_path, "{merge_method: passthrough, models: [{model: a}]}") != Passthrough()
