"""Heads for more than the next token: merged where all have the same, else the first's, else left out; always said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.ties import Ties
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch
from tests.builders import make_checkpoint, random_tensors

BLOCKS = {f"model.layers.{i}.mlp.up_proj.weight": (8, 4) for i in range(2)}
NAMED = {"mtp.fc.weight": (4, 8), "mtp.layers.0.mlp.up_proj.weight": (8, 4)}
BEHIND = {"model.layers.2.eh_proj.weight": (4, 8), "model.layers.2.mlp.up_proj.weight": (8, 4)}
CONFIG = {"model_type": "unheard_of", "num_hidden_layers": 2}
COUNTED = {**CONFIG, "num_nextn_predict_layers": 1}


def model(folder: Path, seed: int, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any] = COUNTED) -> Model:
    made = make_checkpoint(folder, random_tensors(seed, shapes, np.float32), dict(config))
    return full_model(folder.name, open_checkpoint(made))


def made(plan: StreamPlan) -> dict[str, Leaf]:
    found = Recomputation()
    stream(plan.jobs, found)
    return found.leaves


@pytest.mark.parametrize("head", [NAMED, BEHIND], ids=["named", "behind"])
def test_one_that_all_have_is_merged(head: Mapping[str, tuple[int, ...]], tmp_path: Path) -> None:
    a, b = (model(tmp_path / name, seed, {**BLOCKS, **head}) for seed, name in enumerate("ab"))
    plan = plan_merge(Linear(), [a, b])
    assert plan.remarks == ()
    child = made(plan)
    assert child.keys() == {*BLOCKS, *head}
    own = made(plan_merge(Linear(weights=(1.0, 0.0)), [a, b]))
    assert all(child[name].data_hash != own[name].data_hash for name in head)


@pytest.mark.parametrize("head", [NAMED, BEHIND], ids=["named", "behind"])
def test_one_that_the_first_has_alone_is_handed_on(head: Mapping[str, tuple[int, ...]], tmp_path: Path) -> None:
    a, b = model(tmp_path / "a", 0, {**BLOCKS, **head}), model(tmp_path / "b", 1, BLOCKS)
    plan = plan_merge(Linear(), [a, b])
    assert plan.remarks == ("the prediction head is that of a as it is: b has not the same",)
    child, own = made(plan), made(plan_merge(Linear(weights=(1.0, 0.0)), [a, a]))
    assert child.keys() == {*BLOCKS, *head}
    assert {name: child[name] for name in head} == {name: own[name] for name in head}
    base = plan_merge(Ties(), [b], a)
    assert made(base).keys() == {*BLOCKS, *head}


@pytest.mark.parametrize("head", [NAMED, BEHIND], ids=["named", "behind"])
def test_one_that_the_first_has_not_is_left_out(head: Mapping[str, tuple[int, ...]], tmp_path: Path) -> None:
    a, b = model(tmp_path / "a", 0, BLOCKS), model(tmp_path / "b", 1, {**BLOCKS, **head})
    plan = plan_merge(Linear(), [a, b])
    assert plan.remarks == ("the prediction head of b is left out: a has none",)
    assert made(plan).keys() == BLOCKS.keys()


def test_blocks_that_are_put_together_anew_have_none(tmp_path: Path) -> None:
    a = model(tmp_path / "a", 0, {**BLOCKS, **BEHIND}, {**COUNTED, "model_type": "llama"})
    parts = tuple(Part(models=(Stretch(model=0, blocks=blocks),)) for blocks in ((0, 2), (1, 2)))
    plan = plan_recipe(MergeRecipe(method="passthrough", parts=parts), [a])
    assert "the prediction head of a is left out: blocks are put together anew" in plan.remarks
    assert made(plan).keys() == {f"model.layers.{i}.mlp.up_proj.weight" for i in range(3)}


def test_blocks_behind_the_last_are_none_where_the_config_counts_none(tmp_path: Path) -> None:
    a, b = model(tmp_path / "a", 0, {**BLOCKS, **BEHIND}, CONFIG), model(tmp_path / "b", 1, BLOCKS, CONFIG)
    with pytest.raises(CheckpointError, match=r"b has no 'model.layers.2.eh_proj.weight'"):
        plan_merge(Linear(), [a, b])
