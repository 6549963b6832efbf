"""Every layout of the table: one hash, one merge whichever way parents lie, and a child that computes the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.layouts.known import layouts_of
from lineal.checkpoint.layouts.multimodal import FUSED_MULTIMODAL
from lineal.checkpoint.layouts.table import FUSED, LAYOUTS
from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.engines.stream.plan import StreamPlan
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.merge.slerp import Slerp
from lineal.methods.recipe.recipe import PUBLISHED, MergeRecipe, Part, Stretch
from tests.checkpoint.test_layouts import CONVERTED, REPLACED, tiny

WRITTEN_AS_PUBLISHED = [one for one in CONVERTED if one not in REPLACED]
ONE_OF_EACH = sorted({LAYOUTS[one][FUSED]: one for one in reversed(WRITTEN_AS_PUBLISHED)}.values())
"""An architecture of each set of rules; `tests/checkpoint/test_layouts.py` compares the bytes of all."""
RUN = [one for one in ONE_OF_EACH if one not in {*FUSED_MULTIMODAL, "axk1"}]
"""Those that read tokens alone, and compute when they are tiny."""


def both_ways(model: PreTrainedModel, folder: Path, dtype: torch.dtype) -> dict[str, Model]:
    """The model saved as published and as it is in memory."""
    logging.disable_progress_bar()
    model = model.to(dtype)
    for name in (PUBLISHED, FUSED):
        model.save_pretrained(folder / name, save_original_format=name == PUBLISHED)
    return {name: full_model(name, open_checkpoint(folder / name)) for name in (PUBLISHED, FUSED)}


def made(plan: StreamPlan) -> Mapping[str, Any]:
    """The leaves of what the plan makes."""
    found = Recomputation()
    stream(plan.jobs, found, threads=2)
    return found.leaves


def in_layout(model: Model, wanted: str) -> StreamPlan:
    recipe = MergeRecipe(method=Passthrough.name, parts=(Part(models=(Stretch(model=0),)),), layout=wanted)
    return plan_recipe(recipe, [model])


def written(plan: StreamPlan, folder: Path) -> Path:
    with CheckpointWriter(folder, plan.child.lay_out(plan.planned), "") as writer:
        stream(plan.jobs, writer, threads=2)
        writer.seal()
    plan.child.write_package(folder)
    return folder


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["F32", "BF16"])
@pytest.mark.parametrize("model_type", ONE_OF_EACH)
def test_the_layouts_are_one_model(model_type: str, dtype: torch.dtype, tmp_path: Path) -> None:
    a, b = (both_ways(tiny(model_type, seed), tmp_path / str(seed), dtype) for seed in (0, 1))
    hashes = {name: hash_folder(tmp_path / "0" / name) for name in a}
    assert hashes[PUBLISHED].layout_hash == hashes[FUSED].layout_hash is not None
    assert hashes[PUBLISHED].published == hashes[FUSED].published

    slerp = Slerp(t=0.3)
    one = made(plan_merge(slerp, [a[PUBLISHED], b[PUBLISHED]]))
    assert made(plan_merge(slerp, [a[PUBLISHED], b[FUSED]])) == one
    fused = made(plan_merge(slerp, [a[FUSED], b[FUSED]]))
    assert made(plan_merge(slerp, [a[FUSED], b[PUBLISHED]])) == fused
    assert set(fused) == set(a[FUSED].checkpoint) != set(one)

    for start, wanted in ((PUBLISHED, FUSED), (FUSED, PUBLISHED)):
        child = made(in_layout(a[start], wanted))
        assert tuple(child[leaf.name] for leaf in hashes[wanted].manifest.leaves) == hashes[wanted].manifest.leaves
        assert child.keys() == set(a[wanted].checkpoint)


@pytest.mark.parametrize("model_type", RUN)
def test_a_child_in_another_layout_computes_the_same(model_type: str, tmp_path: Path) -> None:
    """One way: the folder of the other way holds, byte for byte, what transformers itself has saved."""
    model = tiny(model_type)
    folder = written(in_layout(both_ways(model, tmp_path, torch.float32)[PUBLISHED], FUSED), tmp_path / "child")
    child = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = torch.arange(3, 19).reshape(2, 8)
    with torch.no_grad():
        assert torch.equal(child(tokens).logits, model(tokens).logits)


def test_every_architecture_knows_its_layouts() -> None:
    for model_type, layouts in LAYOUTS.items():
        assert [known.name for known in layouts_of({"model_type": model_type}) or ()] == list(layouts)
