"""`layout` of a merge, as each front end writes it: what is stored, what is recorded, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from lineal import Ties
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import MethodError, UsageError
from lineal.family.file.layout import in_layout
from lineal.family.file.recipe import Reference
from lineal.methods.distill.distill import Distill
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.soup import GreedySoup
from tests.cli.conftest import Command, lineal, registry, run
from tests.identity.test_layout_hash import mixture

__all__ = ("lineal", "registry", "run")

FAMILY = """
family: layouts
models:
  a: {original: {path: ./apart}}
  b: {original: {path: ./other}}
  fused: {merge: {parents: [a, b], method: linear, weights: [1, 3], layout: fused}}
  as_b: {merge: {parents: [a, b], method: ties, base: a, density: 0.5, layout: b}}
  back: {merge: {parents: [as_b], method: passthrough, layout: published}}
"""
RECIPE = """
merge_method: linear
models:
  - {model: ./apart, parameters: {weight: 1}}
  - {model: ./other, parameters: {weight: 3}}
LAYOUT
"""


@pytest.fixture
def mixtures(lineal: Command) -> Command:
    """Two models, one in each layout."""
    mixture(Path("apart"), fused=False)
    mixture(Path("other"), fused=True, seed=1)
    return lineal


def weights(folder: str) -> bytes:
    return (Path(folder) / "model.safetensors").read_bytes()


def test_every_front_end_makes_the_same(mixtures: Command) -> None:
    options = ("--method", "linear", "--weights", "1,3", "--layout", "fused")
    assert mixtures("merge", "./apart", "./other", *options, "--out", "words").code == 0
    Path("family.yaml").write_text(FAMILY)
    assert mixtures("run", "family.yaml").code == 0
    Path("recipe.yml").write_text(RECIPE.replace("LAYOUT", "layout: ./other"))
    assert mixtures("merge", "recipe.yml", "recipe").code == 0
    assert set(open_checkpoint(Path("words"))) == set(open_checkpoint(Path("other")))
    assert weights("words") == weights("models/fused") == weights("recipe")
    assert set(open_checkpoint(Path("models/as_b"))) == set(open_checkpoint(Path("other")))
    assert set(open_checkpoint(Path("models/back"))) == set(open_checkpoint(Path("apart")))
    for made in ("words", "recipe", "models/fused", "models/as_b", "models/back"):
        assert "recomputed, equal" in mixtures("verify", f"./{made}").out


def test_the_recipe_records_it_and_a_repeat_is_up_to_date(mixtures: Command) -> None:
    words = ("merge", "./apart", "--method", "passthrough", "--layout", "fused", "--out", "child")
    assert mixtures(*words).code == 0
    assert "layout = fused" in mixtures("show", "child").out
    assert "up to date" in mixtures(*words).err
    other = mixtures("merge", "./apart", "--method", "passthrough", "--layout", "./apart", "--out", "same")
    assert other.code == 0
    assert "layout = 0" in mixtures("show", "same").out
    assert set(open_checkpoint(Path("same"))) == set(open_checkpoint(Path("apart")))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("./apart", "--method", "passthrough", "--layout", "fussed"),
            "layout is published, fused, ... or one of the models that are merged, got 'fussed'",
        ),
        (("./a", "--method", "passthrough", "--layout", "fused"), "a: no layout 'fused' is known of model_type "),
        (("./apart", "--method", "passthrough", "--layout", "prefixed"), "apart: no layout 'prefixed' is known of "),
    ],
)
def test_a_layout_that_is_not_there_is_told_in_one_line(mixtures: Command, words: tuple[str, ...], told: str) -> None:
    answer = mixtures("merge", *words, "--out", "child")
    assert answer.code in {2, 3}
    start, _, end = told.partition("...")
    assert start in answer.err
    assert end in answer.err
    assert answer.err.count("\n") == 1
    assert not Path("child").exists()


def test_a_family_file_tells_where(mixtures: Command) -> None:
    Path("family.yaml").write_text(FAMILY.replace("layout: b", "layout: c"))
    answer = mixtures("run", "family.yaml")
    assert answer.code == 2
    assert "7: " in answer.err
    assert "got 'c'" in answer.err
    Path("recipe.yml").write_text(RECIPE.replace("LAYOUT", "layout: ./nowhere"))
    assert "nowhere" in mixtures("merge", "recipe.yml", "out").err


def test_with_a_recipe_the_recipe_says_it(mixtures: Command) -> None:
    Path("recipe.yml").write_text(RECIPE.replace("LAYOUT", ""))
    answer = mixtures("merge", "recipe.yml", "out", "--layout", "fused")
    assert (answer.code, answer.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("method", [GreedySoup(), Distill()])
def test_methods_that_do_not_stream_a_merge_take_none(method: object) -> None:
    with pytest.raises(MethodError, match="takes no layout"):
        in_layout(method, [Reference("parent", "a")], "fused")


def test_options_of_each_model_stay_with_it() -> None:
    inputs = [Reference("base", "base"), Reference("parent", "a"), Reference("parent", "b")]
    recipe = in_layout(Ties(density=(0.2, 0.6), weights=(0.5,)), inputs, "b")
    assert recipe.layout == 2
    part = recipe.parts[0]
    assert [stretch.model for stretch in part.stretches] == [0, 1, 2]
    assert recipe.method_at(part, "x", 0.0) == Ties(density=(0.2, 0.6), weights=(0.5, 0.5))
    plain = in_layout(Linear(), inputs[1:], "published")
    assert plain.method_at(plain.parts[0], "x", 0.0) == Linear()


def test_a_layout_is_a_word_or_a_model() -> None:
    with pytest.raises(UsageError, match="got 3"):
        in_layout(Linear(), [Reference("parent", "a")], 3)


@pytest.mark.parametrize("missing", ["gate_proj", "down_proj"])
def test_experts_that_are_missing_are_named(mixtures: Command, missing: str) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file("apart/model.safetensors")
    gone = f"model.layers.0.mlp.experts.1.{missing}.weight"
    save_file({name: tensor for name, tensor in tensors.items() if name != gone}, "apart/model.safetensors")
    answer = mixtures("merge", "./apart", "--method", "passthrough", "--layout", "fused", "--out", "child")
    assert answer.code == 3
    assert f"experts.1.{missing}.weight" in answer.err
    assert answer.err.count("\n") == 1


def test_experts_of_several_dtypes_do_not_go_into_one_tensor(mixtures: Command) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file("apart/model.safetensors")
    odd = "model.layers.0.mlp.experts.1.up_proj.weight"
    save_file({**tensors, odd: tensors[odd].astype(np.float16)}, "apart/model.safetensors")
    answer = mixtures("merge", "./apart", "--method", "passthrough", "--layout", "fused", "--out", "child")
    assert answer.code == 3
    assert "F32 [6, 8]" in answer.err
    assert f"'{odd}' F16 [6, 8]; both would be stored in" in answer.err


def test_a_dry_run_knows_it(mixtures: Command) -> None:
    words = ("merge", "./apart", "./other", "--method", "linear", "--layout", "fused", "--out", "child")
    planned = mixtures(*words, "--dry-run")
    assert planned.code == 0
    assert not Path("child").exists()
    refused = mixtures("merge", "./a", "./b", "--method", "linear", "--layout", "fused", "--out", "x", "--dry-run")
    assert "no layout 'fused' is known" in refused.err + refused.out
