"""Layouts: what is stored in part only, or not as the config says, is told by the tensors' names."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.known import layouts_of
from lineal.checkpoint.layouts.storing import stored_as
from lineal.checkpoint.layouts.table import FUSED
from lineal.checkpoint.layouts.views import seen
from lineal.checkpoint.reader import open_checkpoint
from lineal.errors import CheckpointError
from tests.builders import make_checkpoint

MLP = "model.layers.0.mlp"
STACK, DOWN, UP = f"{MLP}.experts.gate_up_proj", f"{MLP}.experts.down_proj", f"{MLP}.experts.1.up_proj.weight"
QWEN2_MOE = {"model_type": "qwen2_moe", "num_experts": 2}
QWEN3_VL_MOE = {"model_type": "qwen3_vl_moe", "text_config": {"hidden_size": 4, "moe_intermediate_size": 2}}
LLAVA = {"model_type": "llava"}
APART = {f"{MLP}.experts.{n}.{one}_proj.weight": (2, 2) for n in range(3) for one in ("gate", "up", "down")}

Shapes = Mapping[str, tuple[int, ...]]


def stored(folder: Path, shapes: Shapes) -> dict[str, TensorSpec]:
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return dict(open_checkpoint(make_checkpoint(folder, tensors)).items())


def without(*names: str) -> Shapes:
    return {name: shape for name, shape in APART.items() if name not in names}


REFUSED: list[tuple[Shapes, dict[str, Any], str]] = [
    ({STACK: (3, 4, 5)}, QWEN2_MOE, f"'{STACK}' is [3, 4, 5]; by its config it stacks 2 experts of 2 matrices"),
    ({STACK: (1, 4, 5)}, QWEN2_MOE, f"'{STACK}' is [1, 4, 5]; by its config it stacks 2 experts of 2 matrices"),
    ({STACK: (2, 3, 5)}, QWEN2_MOE, f"'{STACK}' is [2, 3, 5]; by its config it stacks 2 experts of 2 matrices"),
    ({DOWN: (4, 5)}, QWEN2_MOE, f"'{DOWN}' is [4, 5]; by its config it stacks 2 experts of 1 matrices"),
    ({STACK: (2, 4, 5)}, {"model_type": "qwen2_moe"}, "its config does not say how many experts it stacks"),
    ({UP: (2, 5), STACK: (2, 4, 5)}, QWEN2_MOE, f"holds '{UP}' twice, in two layouts: '{UP}' and '{STACK}'"),
    (
        {STACK: (2, 4, 5), UP.replace("layers.0", "layers.1"): (2, 5)},
        QWEN2_MOE,
        f"stored in two layouts: '{STACK}' is fused, '{UP.replace('layers.0', 'layers.1')}' as it is published",
    ),
    (
        {DOWN: (2, 4, 5), UP: (2, 5)},
        QWEN2_MOE,
        f"stored in two layouts: '{DOWN}' is fused, '{UP}' as it is published",
    ),
    (
        without(UP, f"{MLP}.experts.2.gate_proj.weight"),
        {**QWEN2_MOE, "num_experts": 3},
        f"'{UP}' is missing of 3 experts",
    ),
    (APART, {**QWEN2_MOE, "num_experts": 4}, f"'{MLP}.experts.3.down_proj.weight' is missing of 4 experts"),
    (
        {"model.language_model.norm.weight": (2,), "vision_tower.norm.weight": (2,)},
        LLAVA,
        "stored in two layouts: 'model.language_model.norm.weight' is fused, 'vision_tower.norm.weight' as it is",
    ),
    (
        {"language_model.lm_head.weight": (2,), "model.image_newline": (2,)},
        {"model_type": "llava_next"},
        "stored in two layouts: 'model.image_newline' is fused, 'language_model.lm_head.weight' as it is published",
    ),
    (
        {"model.language_model.norm.weight": (2,), "model.layers.0.norm.weight": (2,)},
        {"model_type": "qwen2_vl"},
        "stored in two layouts: 'model.language_model.norm.weight' is fused, 'model.layers.0.norm.weight' as it is",
    ),
    (
        {"model.layers.0.attn_hc.fn": (2,), "model.layers.1.mlp.linear_gate.weight": (2, 2)},
        {"model_type": "hy_v4"},
        "'model.layers.0.attn_hc.fn' is fused and 'model.layers.1.mlp.linear_gate.weight' is rewritten",
    ),
    (
        {STACK: (2, 6, 4), DOWN: (2, 3, 4)},
        {**QWEN3_VL_MOE, "text_config": {"hidden_size": 4, "moe_intermediate_size": 3}},
        f"stored in two layouts: '{STACK}' is fused, '{DOWN}' as it is published",
    ),
    ({STACK: (2, 4, 4)}, QWEN3_VL_MOE, f"'{STACK}' is [2, 4, 4]; neither its shape nor another tensor's tells"),
    ({STACK: (2, 5, 6)}, QWEN3_VL_MOE, f"'{STACK}' is [2, 5, 6]; a matrix of each expert is needed; it has 4 columns"),
    ({STACK: (4, 4)}, QWEN3_VL_MOE, f"'{STACK}' is [4, 4]; a matrix of each expert is needed; it has 4 columns"),
    ({STACK: (2, 4, 4)}, {"model_type": "qwen3_vl_moe"}, "its config does not say how many columns it has"),
    (
        {"model.layers.0.linear_attn.conv1d.weight": (9, 1, 4)},
        {"model_type": "olmo_hybrid", **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads"), 1)},
        "by its config it joins 3 tensors of other heights",
    ),
]


@pytest.mark.parametrize(("shapes", "config", "told"), REFUSED)
def test_what_does_not_fit_is_told_by_name(shapes: Shapes, config: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"^m: .*{re.escape(told)}"):
        seen(stored(tmp_path / "m", shapes), config, "m")


@pytest.mark.parametrize(
    ("shapes", "experts", "told"),
    [
        (without(UP), 3, f"'{UP}' is missing beside"),
        (without(UP), None, f"'{UP}' is missing beside"),
        (APART, 2, "holds 'model.layers.0.mlp.experts.2.down_proj.weight', its config says 2 experts"),
        ({**APART, UP: (2, 3)}, 3, f"'{UP}' F32 [2, 3]; both would be stored in '{STACK}'"),
    ],
)
def test_a_child_is_not_stored_without_all_experts(
    shapes: Shapes, experts: int | None, told: str, tmp_path: Path
) -> None:
    config = {"model_type": "qwen2_moe", "num_experts": experts}
    (fused,) = (layout for layout in layouts_of(config) or () if layout.name == FUSED)
    with pytest.raises(CheckpointError, match=re.escape(told)):
        stored_as(stored(tmp_path / "m", shapes).values(), [fused], config, "m")


def test_experts_that_a_config_does_not_count_are_not_missed(tmp_path: Path) -> None:
    specs = stored(tmp_path / "m", without(UP))
    found = seen(specs, {"model_type": "qwen2_moe"}, "m")
    assert found is not None
    assert set(found.views) == set(specs)


def test_a_number_that_no_one_writes_so_is_no_expert(tmp_path: Path) -> None:
    """Or two tensors would be one part of a stacked one."""
    odd = {UP.replace("experts.1", f"experts.{one}"): (2, 2) for one in ("01", "1234567890", "\u0661")}
    found = seen(stored(tmp_path / "m", {**APART, **odd}), {**QWEN2_MOE, "num_experts": 3}, "m")
    assert found is not None
    assert odd.keys() <= found.views.keys()


def test_of_several_starts_the_longest_counts(tmp_path: Path) -> None:
    names = {
        "model.multi_modal_projector.merge_linear_1.weight": "patch_merge_mlp.linear_1.weight",
        "model.multi_modal_projector.linear_1.weight": "multi_modal_projector.linear_1.weight",
        "model.language_model.norm.weight": "language_model.model.norm.weight",
        "lm_head.weight": "language_model.lm_head.weight",
        "language_modelling.weight": "language_modelling.weight",
    }
    config = {"model_type": "minimax_m3_vl"}
    found = seen(stored(tmp_path / "m", dict.fromkeys(names, (2,))), config, "m")
    assert found is not None
    assert {view.whole: name for name, view in found.views.items()} == names
    back = stored_as((view.spec for view in found.views.values()), found.layouts, config, "m")
    assert {one.name: one.parts for one in back} == {name: (published,) for name, published in names.items()}


def test_a_hundred_thousand_names_take_no_time() -> None:
    parts = [(layer, expert, one) for layer in range(65) for expert in range(512) for one in ("gate", "up", "down")]
    names = [f"model.layers.{layer}.mlp.experts.{expert}.{one}_proj.weight" for layer, expert, one in parts]
    specs = {name: TensorSpec(name, "F32", (1, 1), Path("m"), 0, 4) for name in names}
    config = {"model_type": "qwen3_moe", "num_experts": 512}
    started = time.process_time()
    found = seen(specs, config, "m")
    assert time.process_time() - started < 3  # 0.7 on a quiet machine
    assert found is not None
    assert len(found.views) == len(names)
    del specs[names[70_000]]
    with pytest.raises(CheckpointError, match=re.escape(f"'{names[70_000]}' is missing of 512 experts")):
        seen(specs, config, "m")


def test_an_unknown_architecture_keeps_its_names(tmp_path: Path) -> None:
    assert seen(stored(tmp_path / "m", {STACK: (2, 4, 5)}), {"model_type": "unheard_of"}, "m") is None
