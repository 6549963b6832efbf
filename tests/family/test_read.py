"""Family files: what is accepted, and every fault with its line, at once."""

from pathlib import Path

import pytest

from lineal.errors import LineageCycle, RecipeError
from lineal.family.file.read import read_family
from lineal.methods.distill.distill import Distill, Progressive
from lineal.methods.merge.ties import Ties
from tests.family.conftest import MERGES, write_family


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read_family(write_family(folder, text))
    return [line.removeprefix(f"{folder / 'family.yaml'}:") for line in str(caught.value).splitlines()]


def test_models_come_in_an_order_in_which_they_can_be_built(tmp_path: Path) -> None:
    text = (
        "models: {last: {merge: {parents: [x, y], method: linear}}, y: {original: {path: y}}, x: {original: {path: x}}}"
    )
    assert list(read_family(write_family(tmp_path, text)).models) == ["x", "y", "last"]


def test_a_family_without_a_name_is_called_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my-models"
    folder.mkdir()
    assert read_family(write_family(folder, "models: {x: {original: {path: x}}}")).name == "my-models"


def test_a_method_and_its_options_become_the_method(tmp_path: Path) -> None:
    text = """
models:
  a: {original: {path: a}}
  m: {merge: {parents: [a, a], base: a, method: ties, density: 0.5, weights: [1, 2], lambda: 0.7}}
"""
    recipe = read_family(write_family(tmp_path, text)).models["m"]
    assert recipe.method == Ties(density=0.5, weights=(1.0, 2.0), lambda_=0.7)
    assert [(r.role, r.model) for r in recipe.inputs] == [("base", "a"), ("parent", "a"), ("parent", "a")]


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """family: demo
models:
  both:  {merge: {parents: [code, prose], base: base, method: tise}}
  base:  {original: {path: ./base}}
  code:  {finetune: {parent: bass, data: code.jsonl, epochs: 0}}
  prose:
    finetune:
      parent: base
      rnk: 16
      data: prose.jsonl
  x: {quantise: {}}
evaluat: 1
"""
    found = faults_of(tmp_path, text)
    assert [fault.split(":")[0] for fault in found] == ["3", "5", "5", "5", "9", "10", "11", "12"]
    assert "unknown merge method 'tise' (did you mean ties?)" in found[0]
    assert any("unknown model 'bass' (did you mean base?)" in fault for fault in found)
    assert any("epochs must be an integer of at least 1, got 0" in fault for fault in found)
    assert any(f"no data file {tmp_path / 'code.jsonl'}" in fault for fault in found)
    assert "unknown option 'rnk' (did you mean rank?)" in found[4]
    assert "unknown verb 'quantise'" in found[6]
    assert "unknown key 'evaluat' (did you mean evaluate?)" in found[7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a family file must be a mapping"),
        ("models: [a]", "models must be a mapping"),
        ("models: {a: {original: {path: x, train: {}}}}", "unknown key 'path'"),
        ("models: {a: {original: {}}}", "one of path, hub or train"),
        ("models: {a: {original: {hub: org/name, revision: main}}}", "40 hex digits of a commit"),
        ("models: {a: {original: {path: x}, merge: {}}}", "exactly one of"),
        ("models: {../a: {original: {path: x}}}", "is not a name"),
        ("models: {a: {merge: {parents: [], method: linear}}}", "parents must name models"),
        ("models: {a: {merge: {parents: [a]}}}", "method is needed"),
        ("family: ../x\nmodels: {}", "is not a name"),
    ],
)
def test_what_cannot_mean_anything_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in fault for fault in faults_of(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {a: 1, a: 2}", "'a' is given twice"),
        ("models: {a: [", "not YAML"),
        ("models: !!python/object:os.system {}", "means nothing here"),
        ("models: !!python/name:os.system x", "could not determine a constructor"),
        ("models: {? [a] : 1}", "a key must be a plain word"),
        ("models: &a [*a]", "nested more than 50 deep"),
    ],
)
def test_a_file_that_is_not_plain_yaml_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=r"family\.yaml:1: ") as caught:
        read_family(write_family(tmp_path, text))
    assert message in str(caught.value)


def test_a_small_file_that_grows_without_bound_is_refused(tmp_path: Path) -> None:
    bomb = "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9))])
    with pytest.raises(RecipeError, match="more than 100000 values"):
        read_family(write_family(tmp_path, bomb))


def test_a_cycle_is_refused_and_named(tmp_path: Path) -> None:
    text = """
models:
  c: {original: {path: c}}
  a: {merge: {parents: [b, c], method: linear}}
  b: {merge: {parents: [a, c], method: linear}}
"""
    with pytest.raises(LineageCycle, match="lineage cycle: a -> b -> a"):
        read_family(write_family(tmp_path, text))


def test_a_chain_of_thousands_of_models_is_ordered_without_recursion(tmp_path: Path) -> None:
    links = "\n".join(f"  m{i}: {{merge: {{parents: [m{i - 1}, m0], method: linear}}}}" for i in range(3000, 0, -1))
    family = read_family(write_family(tmp_path, f"models:\n{links}\n  m0: {{original: {{path: x}}}}\n"))
    assert list(family.models) == [f"m{i}" for i in range(3001)]


def test_the_example_of_the_tests_is_valid(tmp_path: Path) -> None:
    assert list(read_family(write_family(tmp_path, MERGES)).models) == ["a", "b", "c", "between", "sum", "last"]


DISTILLED = """
models:
  a: {original: {path: ./a}}
  small: {distill: {teachers: [a, b], student: {parent: b, layers: 2}, weights: [3, 1], data: text.txt,
                    progressive: {layer_mapping: [[0, 1]]}}}
  b: {original: {path: ./b}}
  taught: {distill: {teachers: small, student: b, data: text.txt}}
"""


def test_a_student_is_a_model_or_some_layers_of_one(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a text")
    family = read_family(write_family(tmp_path, DISTILLED))
    assert list(family.models) == ["a", "b", "small", "taught"]
    small, taught = family.models["small"], family.models["taught"]
    assert [(r.role, r.model) for r in small.inputs] == [("teacher", "a"), ("teacher", "b"), ("student", "b")]
    assert small.method == Distill(weights=(3, 1), layers=2, progressive=Progressive(layer_mapping=((0, 1),)), epochs=1)
    assert [(r.role, r.model) for r in taught.inputs] == [("teacher", "small"), ("student", "b")]
    assert taught.method == Distill()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{distill: {student: a, data: family.yaml}}", "x: teachers must name models, got None"),
        ("{distill: {teachers: [a], data: family.yaml}}", "x: student must name a model, got None"),
        ("{distill: {teachers: [a], student: {layers: 2}, data: family.yaml}}", "x: parent must name a model"),
        (
            "{distill: {teachers: [a], student: {parent: a, layrs: 2}, data: family.yaml}}",
            "unknown key 'layrs' (did you mean layers?)",
        ),
        ("{distill: {teachers: [a, a], student: a, weights: [1], data: family.yaml}}", "1 weights for 2 teachers"),
        ("{distill: {teachers: [a], student: a}}", "x: data must be a file or a list of files"),
        ("{finetune: {parent: [a, a], data: family.yaml}}", "x: parent must name a model, got ['a', 'a']"),
        ("{merge: {parents: [a, a, a], method: slerp}}", "slerp: exactly two models are needed, got 3"),
        ("{merge: {parents: [a, a], method: linear, weights: [1, 2, 3]}}", "linear: 3 weights for 2 models"),
        ("{merge: {parents: [a, a], method: greedy_soup}}", "greedy_soup: data is needed, a text or several"),
        ("{merge: {parents: [a, a], method: greedy_soup, data: none.txt}}", "x: no data file"),
        ("{merge: {parents: [a], method: greedy_soup, data: family.yaml}}", "two or more models are needed, got 1"),
        (
            "{merge: {parents: [a, a], method: greedy_soup, data: family.yaml, ingredients: [0]}}",
            "ingredients are found when the soup is made",
        ),
        ("{merge: {parents: [a, a], method: uniform_soup, data: family.yaml}}", "uniform_soup: takes no data"),
        ("{merge: {parents: [a], method: uniform_soup}}", "two or more models are needed, got 1"),
        ("{merge: {models: [{model: a}, {model: a}], merge_method: greedy_soup}}", "'greedy_soup' needs data"),
        ("{prune: {parent: [a], sparsity: 0.5}}", "x: parent must name a model, got ['a']"),
        ("{prune: {parent: a, sparsity: 1}}", "sparsity"),
        ("{prune: {parent: a}}", "the option 'sparsity' is needed"),
        ("{quantize: {parent: a, scheme: q9_9}}", "scheme"),
        ("{quantize: {parent: a}}", "scheme is needed, or what is to be fitted"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_its_fault(tmp_path: Path, body: str, message: str) -> None:
    faults = faults_of(tmp_path, f"models:\n  a: {{original: {{path: ./a}}}}\n  x: {body}")
    assert any(message in fault for fault in faults), faults


def test_half_a_character_in_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "family.yaml"
    path.write_text('models:\n  a: {merge: {method: linear, parents: ["./x", "\\ud800"]}}\n')
    with pytest.raises(RecipeError, match=r"family\.yaml:2: holds half a surrogate pair"):
        read_family(path)
