"""Roles of tensors, against the names that transformers itself writes."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from lineal.checkpoint.layouts.table import LAYOUTS
from lineal.checkpoint.names.roles import ARCHITECTURES, Role, linear_layers
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.errors import CheckpointError
from tests.builders import read_safetensors
from tests.walk.tiny import tiny_model

MIXTURES = ("mixtral", "olmoe", "qwen2_moe", "qwen3_moe")
OF_THE_TABLE = tuple(model_type for model_type in ARCHITECTURES if model_type in LAYOUTS)
"""Those that are met in several layouts: mixtures of experts, and what has its other names in a larger model."""
DENSE = tuple(model_type for model_type in ARCHITECTURES if model_type not in LAYOUTS)
ROUTER = re.compile(r"model\.layers\.\d+\.(mlp|block_sparse_moe)\.(gate|shared_expert_gate)\.weight")
NOT_LINEAR = re.compile(r".*\.(gate|gate\.wg|shared_expert_gate|conv1d)\.weight|.*\.moe_statics\..*")
"""Routers, what decides of shared experts, convolutions."""

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "vocab_size": 64,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
EXPERTS = {"num_experts": 3, "num_local_experts": 3, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 24}

Shapes = dict[str, tuple[int, ...]]


def written(folder: Path, model_type: str, **config: Any) -> tuple[Any, Shapes]:
    """A small model of this type, and the shapes of the tensors that it is saved as."""
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[model_type](**SMALL, **config))
    model.save_pretrained(folder)
    return model, {name: values.shape for name, values in read_safetensors(folder / "model.safetensors").items()}


@pytest.mark.parametrize("model_type", DENSE)
def test_the_linear_layers_of_the_blocks_are_known_by_their_names(tmp_path: Path, model_type: str) -> None:
    model, shapes = written(tmp_path, model_type)
    found = linear_layers(shapes, model_type, "m")
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert found.keys() == linear - {"lm_head.weight"}
    assert {role.block for role in found.values()} == {0, 1}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("model_type", MIXTURES)
def test_of_a_mixture_the_experts_are_linear_layers_and_the_routers_are_not(tmp_path: Path, model_type: str) -> None:
    _, shapes = written(tmp_path, model_type, **EXPERTS)
    found = linear_layers(shapes, model_type, "m")
    matrices = {name for name, shape in shapes.items() if len(shape) > 1 and name.startswith("model.layers.")}
    routers = {name for name in matrices if ROUTER.fullmatch(name)}
    assert len(routers) == (4 if model_type == "qwen2_moe" else 2)
    assert found.keys() == matrices - routers
    experts = {(role.part, role.expert) for role in found.values() if role.block == 1 and role.expert is not None}
    assert experts == {(part, expert) for part in ("mlp.gate", "mlp.up", "mlp.down") for expert in range(3)}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("model_type", OF_THE_TABLE)
def test_in_every_layout_the_linear_layers_and_experts_are_known_by_published_names(
    tmp_path: Path, model_type: str, other: bool
) -> None:
    model = tiny_model(model_type)
    model.save_pretrained(tmp_path, save_original_format=not other)
    shapes = {name: source.shape for name, source in full_model("m", open_checkpoint(tmp_path)).sources.items()}
    found = linear_layers(shapes, model_type, "m")
    matrices = {name for name, shape in shapes.items() if len(shape) > 1 and name.startswith("model.layers.")}
    assert found.keys() == {name for name in matrices if not NOT_LINEAR.fullmatch(name)}
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    alone = {name for name, role in found.items() if role.expert is None}
    assert alone <= linear
    left = linear - alone - {"lm_head.weight"}
    assert all(re.search(r"(gate|router)\.weight|\.gate\.", name) for name in left)
    assert ("experts" in "".join(shapes)) == any(role.expert is not None for role in found.values())
    assert len(set(found.values())) == len(found)


def test_a_head_for_further_tokens_is_known_and_is_no_part_of_a_block() -> None:
    shapes = {
        "model.layers.0.mlp.up_proj.weight": (4, 4),
        "mtp.layers.0.mlp.up_proj.weight": (4, 4),
        "mtp.fc.weight": (4, 8),
    }
    assert linear_layers(shapes, "qwen3_next", "m").keys() == {"model.layers.0.mlp.up_proj.weight"}


def test_a_mixture_s_gate_up_and_down_are_those_of_its_computation(tmp_path: Path) -> None:
    _, shapes = written(tmp_path, "mixtral", **EXPERTS)
    for name, role in linear_layers(shapes, "mixtral", "m").items():
        if role.part.startswith("mlp."):
            assert shapes[name] == ((32, 48) if role.part == "mlp.down" else (48, 32))
    names = {role.part: name for name, role in linear_layers(shapes, "mixtral", "m").items() if role.expert == 1}
    assert [names[part].split(".")[-2] for part in ("mlp.gate", "mlp.up", "mlp.down")] == ["w1", "w3", "w2"]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("model.layers.3.mlp.up_proj.weight", Role(3, "mlp.up")),
        ("model.layers.10.self_attn.q_proj.weight", Role(10, "attention.q")),
        ("model.layers.0.mlp.experts.12.down_proj.weight", Role(0, "mlp.down", 12)),
        ("model.layers.0.mlp.shared_expert.gate_proj.weight", Role(0, "mlp.shared_gate")),
    ],
)
def test_a_role_is_block_part_and_expert(name: str, role: Role) -> None:
    assert linear_layers({name: (4, 4)}, "qwen2_moe", "m") == {name: role}


@pytest.mark.parametrize("model_type", ["gpt2", "gemma3", None, 7, ["llama"]])
def test_an_unknown_architecture_is_refused_with_those_that_are_known(model_type: object) -> None:
    with pytest.raises(CheckpointError, match=r"^small: what its tensors do is not known for") as caught:
        linear_layers({"model.layers.0.mlp.up_proj.weight": (4, 4)}, model_type, "small")
    assert repr(model_type) in str(caught.value)
    assert all(known in str(caught.value) for known in ARCHITECTURES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.layers.0.mlp.side_proj.weight", (4, 4)),
        ("model.layers.0.mlp.up_proj.lora_A.weight", (4, 4)),
        ("model.layers.x.mlp.up_proj.weight", (4, 4)),
        ("model.layers.0.mlp.experts.gate_up_proj", (2, 4, 4)),
        ("vision.layers.0.mlp.up_proj.weight", (4, 4)),
        ("model.layers.0.mlp.up_proj.weight", (4,)),
        ("model.layers.0.mlp.up_proj.weight", (2, 4, 4)),
    ],
)
def test_a_matrix_that_the_architecture_does_not_have_is_refused(name: str, shape: tuple[int, ...]) -> None:
    shapes = {"model.layers.0.mlp.down_proj.weight": (4, 4), name: shape}
    with pytest.raises(CheckpointError, match=f"small: '{name}' .* is not a tensor of a llama model"):
        linear_layers(shapes, "llama", "small")


def test_a_model_without_blocks_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"small: no linear layer of a llama model in it, such as 'model\.layers"):
        linear_layers({"model.embed_tokens.weight": (4, 4), "model.norm.weight": (4,)}, "llama", "small")
