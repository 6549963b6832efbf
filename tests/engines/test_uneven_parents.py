"""Parents that do not hold the same things: buffers, tokenizers, architectures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import Model, full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from tests.builders import (
    CONFIG,
    Array,
    make_adapter,
    make_checkpoint,
    make_tokenizer,
    random_tensors,
    write_json,
)

UP = "model.layers.0.mlp.up_proj.weight"
SHAPES = {"model.embed_tokens.weight": (4, 3), UP: (4, 3), "model.norm.weight": (3,)}
FREQUENCIES = "model.layers.0.self_attn.rotary_emb.inv_freq"
PAIR = (np.ones((2, 3), np.float32), np.ones((4, 2), np.float32))


def model(folder: Path, more: dict[str, Array] | None = None, **config: Any) -> Model:
    tensors = {**random_tensors(1, SHAPES), **(more or {})}
    return full_model(folder.name, open_checkpoint(make_checkpoint(folder, tensors, {**CONFIG, **config})))


def buffers(size: int = 4) -> dict[str, Array]:
    return {FREQUENCIES: np.ones(size, np.float32)}


def written(plan: StreamPlan, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    plan.child.write_package(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "shape", "derived"),
    [
        (FREQUENCIES, (4,), True),
        ("model.rotary_emb.inv_freq", (4,), True),
        ("bert.embeddings.position_ids", (1, 512), True),
        ("embeddings.token_type_ids", (1, 512), True),
        ("transformer.h.0.attn.bias", (1, 1, 64, 64), True),
        ("h.0.attn.masked_bias", (), True),
        ("gpt_neox.layers.0.attention.bias", (1, 1, 64, 64), True),
        ("transformer.h.0.attn.bias", (64,), False),
        ("transformer.h.0.attn.c_attn.bias", (192,), False),
        ("model.embed_positions.weight", (64, 8), False),
        ("model.norm.weight", (8,), False),
    ],
)
def test_what_follows_from_a_config_is_told_by_name_and_shape(name: str, shape: tuple[int, ...], derived: bool) -> None:
    assert is_derived_buffer(name, shape) is derived


@pytest.mark.parametrize("first", [True, False])
def test_a_buffer_that_not_all_parents_hold_is_left_out(tmp_path: Path, first: bool) -> None:
    inputs = [model(tmp_path / "a", buffers() if first else {}), model(tmp_path / "b", {} if first else buffers())]
    for plan in (plan_merge(Linear(), inputs), plan_merge(TaskArithmetic(), inputs[1:], inputs[0])):
        assert {planned.name for planned in plan.planned} == SHAPES.keys()
        assert plan.rules == 1  # it was refused before, so no record tells of it


def test_a_buffer_that_all_parents_hold_alike_stays(tmp_path: Path) -> None:
    one, two, longer = (model(tmp_path / name, buffers(size)) for name, size in (("a", 4), ("b", 4), ("c", 8)))
    assert FREQUENCIES in {planned.name for planned in plan_merge(Linear(), [one, two]).planned}
    assert FREQUENCIES not in {planned.name for planned in plan_merge(Linear(), [one, longer]).planned}


def test_a_buffer_outside_all_blocks_does_not_stand_against_slices(tmp_path: Path) -> None:
    parent = model(tmp_path / "a", {"model.rotary_emb.inv_freq": np.ones(4, np.float32)}, num_hidden_layers=1)
    part = Part(models=(Stretch(model=0, blocks=(0, 1)),))
    plan = plan_recipe(MergeRecipe(method="passthrough", parts=(part, part)), [parent])
    assert {planned.name for planned in plan.planned} == {*SHAPES, UP.replace("0", "1")}


def test_the_tokenizer_is_taken_from_where_it_is(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a", eos_token_id=1), model(tmp_path / "b", eos_token_id=2)
    make_tokenizer(two.folder, {"x": 0, "y": 1})
    write_json(two.folder / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
    write_json(one.folder / "special_tokens_map.json", {"eos_token": "nothing here has"})
    plan = plan_merge(Linear(), [one, two])
    child = written(plan, tmp_path / "child")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert child[file] == (two.folder / file).read_bytes()
    assert "special_tokens_map.json" not in child
    assert json.loads(child["config.json"])["eos_token_id"] == 2
    assert plan.remarks == ("a has no tokenizer; the child gets that of b",)
    assert plan.rules == 2
    assert plan.child.package().keys() == child.keys()


def test_a_sentencepiece_model_is_a_tokenizer(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a"), model(tmp_path / "b")
    (one.folder / "tokenizer.model").write_bytes(b"pieces")
    make_tokenizer(two.folder, {"x": 0})
    plan = plan_merge(Linear(), [one, two])
    assert written(plan, tmp_path / "child").keys() == {"config.json", "tokenizer.model"}
    assert plan.rules == 1


def test_parents_behind_one_that_has_no_tokenizer_must_agree(tmp_path: Path) -> None:
    one, two, three = (model(tmp_path / name) for name in "abc")
    make_tokenizer(two.folder, {"x": 0, "y": 1})
    make_tokenizer(three.folder, {"y": 0, "x": 1})
    with pytest.raises(CheckpointError, match=r"the vocabularies differ .* 'x' is id 0 in b, 1 in c"):
        plan_merge(Linear(), [one, two, three])


def test_a_base_without_a_tokenizer_gets_that_of_its_adapter(tmp_path: Path) -> None:
    base = model(tmp_path / "base", model_type="llama")
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {UP.removesuffix(".weight"): PAIR}))
    make_tokenizer(adapter.folder, {"x": 0})
    adapted = full_model("adapter", base.checkpoint, adapter)
    plans = (plan_merge(AdapterMerge(), [adapted]), plan_pruning(MagnitudePruning(sparsity=0.5), adapted))
    for index, plan in enumerate(plans):
        child = written(plan, tmp_path / f"child{index}")
        assert child.keys() == {"config.json", "tokenizer.json"}
        assert plan.rules == 2


def test_that_an_adapter_was_trained_with_another_tokenizer_is_said(tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {UP.removesuffix(".weight"): PAIR}))
    make_tokenizer(base.folder, {"x": 0})
    make_tokenizer(adapter.folder, {"x": 0, "y": 1})
    write_json(adapter.folder / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
    plan = plan_merge(AdapterMerge(), [full_model("adapter", base.checkpoint, adapter)])
    assert plan.remarks == (
        "the chat template beside the adapter adapter is not the one that the child gets",
        "the tokenizer beside the adapter adapter is not the one that the child gets",
    )
    assert plan.rules == 1


def test_another_architecture_is_one_fault(tmp_path: Path) -> None:
    one = model(tmp_path / "a", num_hidden_layers=1)
    config = {**CONFIG, "model_type": "qwen2", "num_hidden_layers": 2, "hidden_size": 64}
    tensors = random_tensors(1, dict.fromkeys((*SHAPES, UP.replace("0", "1")), (9, 9)))
    two = full_model("b", open_checkpoint(make_checkpoint(tmp_path / "b", tensors, config)))
    with pytest.raises(CheckpointError) as caught:
        plan_merge(Linear(), [one, two])
    assert str(caught.value) == (
        "linear: these models cannot be merged: b is of another architecture than a: "
        "model_type qwen2, not llama; num_hidden_layers 2, not 1; hidden_size 64, not 8"
    )


@pytest.mark.parametrize(("key", "dtype"), [("dtype", "float8"), ("torch_dtype", "auto")])
def test_a_dtype_that_torch_does_not_have_is_refused(tmp_path: Path, key: str, dtype: object) -> None:
    with pytest.raises(CheckpointError, match=rf"a/config\.json: dtype {dtype!r} is none that torch has"):
        model(tmp_path / "a", **{key: dtype})
    with pytest.raises(CheckpointError, match="is none that torch has"):
        model(tmp_path / "b", text_config={key: dtype})
