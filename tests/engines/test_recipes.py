"""Recipes in the engine: each tensor is what its own options make of it, whatever the schedule."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_recipe
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.plan import OrdinaryFolder
from lineal.errors import MethodError
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from lineal.methods.recipe.settings import Rule
from lineal.methods.recipe.vocabulary import TokenRow, Vocabulary
from tests.builders import CONFIG, Array, make_checkpoint, read_folder
from tests.engines.merges import distance_in_ulps, folder_bytes, similar_models, write
from tests.reference import merge as reference

BLOCKS = 3
WITHIN = {"mlp.up_proj.weight": (70, 130), "input_layernorm.weight": (130,)}
SHAPES = {
    "model.embed_tokens.weight": (40, 130),
    **{f"model.layers.{block}.{name}": shape for block in range(BLOCKS) for name, shape in WITHIN.items()},
    "model.norm.weight": (130,),
}

GRADUAL = MergeRecipe(
    method="ties",
    method_version=2,
    parts=(
        Part(
            base=Stretch(model=0, blocks=(0, 2)),
            models=(
                Stretch(model=1, blocks=(1, 3), options={"weights": (Rule(value=(0.25, 1.0)),)}),
                Stretch(model=2, blocks=(0, 2)),
            ),
        ),
        Part(base=Stretch(model=0, blocks=(1, 3)), models=(Stretch(model=1, blocks=(0, 2)),)),
    ),
    options_={"weights": (Rule(value=0.5),), "density": (Rule(filter="mlp", value=(0.2, 0.9)), Rule(value=1.0))},
)


def models(folder: Path, dtype: Any = np.float32, shards: int = 1) -> tuple[list[dict[str, Array]], list[Model]]:
    base, others = similar_models(2, dtype, SHAPES)
    tensors = [base, *others]
    config = {**CONFIG, "num_hidden_layers": BLOCKS}
    folders = [make_checkpoint(folder / str(i), one, config, shards=shards) for i, one in enumerate(tensors)]
    return tensors, [full_model(path.name, open_checkpoint(path)) for path in folders]


def merged(folder: Path, recipe: MergeRecipe, inputs: list[Model], **options: Any) -> Path:
    write(plan_recipe(recipe, inputs), folder, **options)
    return folder


def test_each_tensor_is_the_paper_s_merge_with_its_own_options(tmp_path: Path) -> None:
    (base, one, two), inputs = models(tmp_path)
    child = read_folder(merged(tmp_path / "child", GRADUAL, inputs))
    up, embedding, norm = "model.layers.{}.mlp.up_proj.weight", "model.embed_tokens.weight", "model.norm.weight"

    def ties(of: str, vectors: list[Array], weights: tuple[float, ...], density: float) -> Array:
        return reference.ties(base[of], vectors, weights, density=density)

    expected = {
        up.format(0): ties(up.format(0), [one[up.format(1)], two[up.format(0)]], (0.25, 0.5), 0.2),
        up.format(1): ties(up.format(1), [one[up.format(2)], two[up.format(1)]], (1.0, 0.5), 0.9),
        up.format(2): ties(up.format(1), [one[up.format(0)]], (0.5,), 0.2),
        up.format(3): ties(up.format(2), [one[up.format(1)]], (0.5,), 0.9),
        norm: ties(norm, [one[norm]], (0.5,), 1.0),
        embedding: ties(embedding, [one[embedding], two[embedding]], (0.25, 0.5), 1.0),
    }
    assert len(child) == 2 + 4 * len(WITHIN)
    for name, wanted in expected.items():
        assert distance_in_ulps(child[name], wanted, np.abs(wanted) + 1) <= 3


def test_any_threads_windows_and_shards_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for index, (shards, threads, window) in enumerate([(1, 1, 1 << 17), (3, 2, 4096), (2, 3, 8192)]):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
        _, inputs = models(tmp_path / f"{index}", ml_dtypes.bfloat16, shards)
        found.append(folder_bytes(merged(tmp_path / f"child{index}", GRADUAL, inputs, threads=threads)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("dtype", "stored"), [("BF16", ml_dtypes.bfloat16), ("F16", np.float16), ("F32", np.float32)])
def test_the_child_is_stored_in_the_dtype_of_the_recipe(tmp_path: Path, dtype: str, stored: Any) -> None:
    tensors, inputs = models(tmp_path, ml_dtypes.bfloat16)
    part = Part(models=(Stretch(model=1), Stretch(model=2)))
    child = read_folder(merged(tmp_path / "child", MergeRecipe(method="linear", parts=(part,), dtype=dtype), inputs))
    for name, values in child.items():
        wanted = reference.linear([tensors[1][name], tensors[2][name]], ())
        assert values.dtype == stored
        assert (
            values.astype(np.float32).tobytes() == wanted.astype(np.float32).astype(stored).astype(np.float32).tobytes()
        )


def test_integers_are_copied_and_never_cast(tmp_path: Path) -> None:
    tensors = {"model.layers.0.ids": np.arange(5), "model.layers.0.w": np.ones(3, np.float32)}
    folder = make_checkpoint(tmp_path / "a", tensors, {**CONFIG, "num_hidden_layers": 1})
    inputs = [full_model("a", open_checkpoint(folder))]
    part = Part(models=(Stretch(model=0, blocks=(0, 1)),))
    recipe = MergeRecipe(method="passthrough", parts=(part, part), dtype="BF16")
    child = read_folder(merged(tmp_path / "child", recipe, inputs))
    assert child["model.layers.1.ids"].tolist() == [0, 1, 2, 3, 4]
    assert child["model.layers.1.w"].dtype == ml_dtypes.bfloat16


def test_a_config_that_would_not_change_is_the_donor_s_byte_for_byte(tmp_path: Path) -> None:
    _, inputs = models(tmp_path)
    part = Part(models=(Stretch(model=0), Stretch(model=1)), options={"weights": (Rule(value=(1.0, 2.0)),)})
    plan = plan_recipe(MergeRecipe(method="linear", parts=(part,)), inputs)
    assert plan.child == OrdinaryFolder(inputs[0].folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": (Part(models=(Stretch(model=3),)),)},
        {"parts": (Part(models=(Stretch(model=-1),)),)},
        {"vocabulary": Vocabulary(tokenizer=3)},
        {"vocabulary": Vocabulary(tokenizer=0, base=7)},
        {"vocabulary": Vocabulary(tokenizer=0, tokens={"a": TokenRow(model=-2)})},
    ],
)
def test_a_record_that_names_an_input_that_is_not_there_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    _, inputs = models(tmp_path)
    recipe = MergeRecipe(method="passthrough", parts=(Part(models=(Stretch(model=0),)),))
    with pytest.raises(MethodError, match="recipe: of 3 inputs it names"):
        plan_recipe(replace(recipe, **changes), inputs)
