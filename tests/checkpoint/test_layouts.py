"""Layouts: what transformers writes the other way holds the published tensors, byte for byte, where the rules say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers.utils import logging

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.storing import stored_as
from lineal.checkpoint.layouts.table import FUSED, LAYOUTS
from lineal.checkpoint.layouts.turn import raw_elements
from lineal.checkpoint.layouts.views import View, seen
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint
from tests.walk.tiny import tiny_model

STACK = "model.layers.0.mlp.experts.gate_up_proj"
DOWN = "model.layers.0.mlp.experts.down_proj"
CONFIG = {"model_type": "qwen2_moe", "num_experts": 2}


def content(view: View) -> tuple[str, tuple[int, ...], bytes]:
    spec = view.spec
    with spec.path.open("rb") as file:
        file.seek(spec.offset)
        raw = file.read(spec.byte_length)
    if view.turn is not None:
        raw = view.turn.turned(raw_elements(raw, spec.byte_length // spec.elements)).tobytes()
    return spec.dtype, spec.shape, raw


@pytest.mark.parametrize("model_type", sorted(model_type for model_type in LAYOUTS if FUSED in LAYOUTS[model_type]))
def test_both_layouts_hold_the_same(model_type: str, tmp_path: Path) -> None:
    logging.disable_progress_bar()
    model = tiny_model(model_type)
    model.save_pretrained(tmp_path / "published")
    model.save_pretrained(tmp_path / "other", save_original_format=False)
    wanted, other = (open_checkpoint(tmp_path / name) for name in ("published", "other"))
    assert set(wanted) != set(other)
    fused, published = (seen(dict(one.items()), one.config, "m") for one in (other, wanted))
    assert fused is not None and [layout.name for layout in fused.layouts] == [FUSED]
    assert published is not None and published.layouts == ()
    assert {name: view.spec for name, view in published.views.items()} == dict(wanted.items())
    contents = [{name: content(view) for name, view in one.views.items()} for one in (fused, published)]
    assert contents[0] == contents[1]
    kept = stored_as([view.spec for view in published.views.values()], fused.layouts, wanted.config, "m")
    assert {one.name: (one.dtype, one.shape) for one in kept} == {n: (s.dtype, s.shape) for n, s in other.items()}
    for one in kept:
        raw = b"".join(contents[1][name][2] for name in one.parts)
        if one.turn is not None:
            raw = one.turn.turned(raw_elements(raw, 4)).tobytes()
        assert raw == content(View(other[one.name], one.name))[2], one.name


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
        seen(stored(tmp_path / "m", **shapes), config, "m")


def test_an_unknown_architecture_keeps_its_names(tmp_path: Path) -> None:
    specs = stored(tmp_path / "m", stack=(2, 4, 5))
    assert seen(specs, {"model_type": "unheard_of"}, "m") is None
