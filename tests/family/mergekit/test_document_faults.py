"""Every fault of a recipe in mergekit's YAML has its line."""

from pathlib import Path

import pytest

from tests.family.mergekit.reading import faults


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """merge_method: ties
base_model: c
models:
  - model: nobody
  - model: a
    parameters: {densty: 0.5, weight: [0.5, x: 1]}
  - modle: b
parameters:
  t: 0.5
  lambda: {deep: 1}
dtype: fp16
evolve: true
"""
    assert faults(tmp_path, text) == [
        "4: no folder, no known model and no earlier stage 'nobody'",
        "6: a list holds either values or {filter, value}, got 0.5 among them",
        "6: ties has no parameter 'densty' (did you mean density?)",
        "7: a model is a path, a name or {model: {path: ...}, lora: ...}, got None",
        "7: unknown key 'modle' (did you mean model?)",
        "9: ties has no parameter 't' (known: density, int8_mask, lambda, normalize, weight)",
        "10: a value is a number, true or false, got {'deep': 1}",
        "11: unknown dtype 'fp16' (known: float32, bfloat16, float16)",
        (
            "12: unknown key 'evolve' (known: base_model, chat_template, dtype, layout, merge_method, models, modules, "
            "name, out_dtype, out_path, parameters, slices, tokenizer, tokenizer_source)"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "{merge_method: linear, models: [{model: a}, {model: b}],\n parameters: {weight: [1, 0]}}",
            "2: linear: the weights sum to 0, which cannot be normalized",
        ),
        (
            "{merge_method: ties, base_model: c, models: [{model: a}],\n parameters: {weight: 1, density: [1, 0]}}",
            "2: ties: density must be in (0, 1], got (0.0,)",
        ),
        (
            "{merge_method: slerp, models: [{model: a}, {model: b}], parameters: {t: 2}}",
            "1: slerp: t must be in [0, 1]",
        ),
        ("{merge_method: tise, models: []}", "1: unknown merge method 'tise' (did you mean ties?)"),
        ("{merge_method: slerp, models: [{model: a}]}", "1: slerp: exactly two models are needed, got 1"),
        ("{merge_method: ties, models: [{model: a}]}", "1: ties: a base is needed"),
        ("{merge_method: linear}", "1: exactly one of models, slices, modules is needed, got none"),
        ("{merge_method: linear, models: [], slices: []}", "1: exactly one of models, slices, modules is needed"),
        ("{merge_method: linear, models: a}", "1: models must be a list, got 'a'"),
        (
            "{merge_method: passthrough, slices: [{sources: [{model: a, layer_range: [4, 2]}]}]}",
            "1: recipe: [4, 2] is not a range of blocks",
        ),
        (
            "{merge_method: passthrough, slices: [{sources: [{model: a}]}]}",
            "1: layer_range must be [FIRST, LAST), two whole numbers, got None",
        ),
        (
            (
                "{merge_method: linear, slices: [{sources: [{model: a, layer_range: [0, 2]}, "
                "{model: b, layer_range: [0, 3]}]}]}"
            ),
            "1: recipe: a part takes as many blocks of every model, got 2, 3",
        ),
        (
            "{merge_method: ties, base_model: c, slices: [{sources: [{model: a, layer_range: [0, 2]}]}]}",
            "1: the base c must be among the sources once, and is 0 times",
        ),
        (
            "{merge_method: ties, base_model: c, models: [{model: a, parameters: {lambda: 1}}, {model: b}]}",
            "1: ties: lambda is for all models, and is given for one of them",
        ),
        (
            "{merge_method: linear, models: [{model: a@main}]}",
            "1: no folder, no known model and no earlier stage 'a'; only repositories of the Hub have revisions",
        ),
        (
            "{merge_method: linear, models: [{model: a},\n {model: org/name@dev}]}",
            "2: no folder, no known model and no earlier stage 'org/name'; org/name@dev: not to be had",
        ),
        ("{merge_method: linear, models: [{model: org/na/me}]}", "1: no folder, no known model and no earlier stage"),
        ("{merge_method: linear, models: [{model: a+b}, {model: c+a}]}", "1: the adapters of a recipe must be of one"),
        (
            f"{{merge_method: linear, models: [{{model: a}}], parameters: {{weight: 1{'0' * 400}}}}}",
            "1: a value is a number that a float can hold",
        ),
        ("[1]", "1: a recipe must be a mapping, got [1]"),
        ("", "1: a recipe must be a mapping, got None"),
    ],
)
def test_a_fault_says_what_is_wrong(tmp_path: Path, text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in faults(tmp_path, text)), faults(tmp_path, text)


@pytest.mark.parametrize("text", ["", "words", "- a"])
def test_what_is_no_mapping_is_one_fault(tmp_path: Path, text: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.startswith("1: a recipe must be a mapping")
