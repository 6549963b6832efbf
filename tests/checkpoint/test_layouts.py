"""Layouts: what transformers writes the other way holds the published tensors, byte for byte, where the rules say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers.utils import logging

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.published import published, rules_for
from lineal.checkpoint.layouts.table import RULES
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint
from tests.walk.tiny import tiny_model

STACK = "model.layers.0.mlp.experts.gate_up_proj"
DOWN = "model.layers.0.mlp.experts.down_proj"
CONFIG = {"model_type": "qwen2_moe", "num_experts": 2}


def content(spec: TensorSpec) -> tuple[str, tuple[int, ...], bytes]:
    with spec.path.open("rb") as file:
        file.seek(spec.offset)
        return spec.dtype, spec.shape, file.read(spec.byte_length)


@pytest.mark.parametrize("model_type", sorted(RULES))
def test_both_layouts_hold_the_same(model_type: str, tmp_path: Path) -> None:
    logging.disable_progress_bar()
    model = tiny_model(model_type)
    model.save_pretrained(tmp_path / "published")
    model.save_pretrained(tmp_path / "other", save_original_format=False)
    wanted, other = (open_checkpoint(tmp_path / name) for name in ("published", "other"))
    assert set(wanted) != set(other)
    found = published(dict(other.items()), other.config, rules_for(other.config), "other")
    assert {name: content(spec) for name, spec in found.items()} == {n: content(s) for n, s in wanted.items()}
    again = published(dict(wanted.items()), wanted.config, rules_for(wanted.config), "published")
    assert again == dict(wanted.items())


def stored(folder: Path, **shapes: tuple[int, ...]) -> dict[str, TensorSpec]:
    names = {"stack": STACK, "down": DOWN, "apart": "model.layers.0.mlp.experts.1.up_proj.weight"}
    tensors = {names[key]: np.zeros(shape, np.float32) for key, shape in shapes.items()}
    return dict(open_checkpoint(make_checkpoint(folder, tensors)).items())


@pytest.mark.parametrize(
    ("shapes", "config", "told"),
    [
        (
            {"stack": (3, 4, 5)},
            CONFIG,
            r"gate_up_proj' is \[3, 4, 5\]; by its config it stacks 2 experts of 2 ",
        ),
        (
            {"stack": (2, 3, 5)},
            CONFIG,
            r"gate_up_proj' is \[2, 3, 5\]; by its config it stacks 2 experts of 2 ",
        ),
        ({"down": (4, 5)}, CONFIG, r"down_proj' is \[4, 5\]; by its config it stacks 2 experts of 1 matrices"),
        ({"stack": (2, 4, 5)}, {"model_type": "qwen2_moe"}, "its config does not say how many experts it stacks"),
        (
            {"stack": (2, 4, 5), "apart": (2, 5)},
            CONFIG,
            "up_proj.weight' twice, in two layouts: 'model.layers.0.mlp.experts.(1.up_proj.weight|gate_up_proj)' and ",
        ),
    ],
)
def test_what_does_not_fit_is_told_by_name(
    shapes: dict[str, Any], config: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=told):
        published(stored(tmp_path / "m", **shapes), config, rules_for(config), "m")


def test_an_unknown_architecture_keeps_its_names(tmp_path: Path) -> None:
    specs = stored(tmp_path / "m", stack=(2, 4, 5))
    assert published(specs, {}, rules_for({"model_type": "unheard_of"}), "m") == specs
