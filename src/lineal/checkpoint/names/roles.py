"""What a tensor does in its model, by its name: "model.layers.3.mlp.up_proj.weight" is block 3, mlp.up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from lineal.errors import CheckpointError
from lineal.shown import quoted

ARCHITECTURES = (
    "afmoe",
    "apertus",
    "arcee",
    "beam",
    "cohere",
    "cohere2",
    "cohere2_moe",
    "deepseek_v2",
    "deepseek_v3",
    "dots1",
    "ernie4_5",
    "ernie4_5_moe",
    "exaone4",
    "exaone_moe",
    "flex_olmo",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm",
    "glm4",
    "glm4_moe",
    "glm4_moe_lite",
    "granite",
    "helium",
    "hunyuan_v1_dense",
    "hunyuan_v1_moe",
    "llama",
    "mellum",
    "minimax_m2",
    "ministral",
    "ministral3",
    "mistral",
    "mixtral",
    "nemotron",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "phi3",
    "phimoe",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_5_moe_text",
    "qwen3_5_text",
    "qwen3_moe",
    "qwen3_next",
    "seed_oss",
    "smollm3",
    "solar_open",
    "stablelm",
)
"""The model types whose published tensor names are known; each was compared with what transformers writes."""

_PARTS = {
    "self_attn.q_proj": "attention.q",
    "self_attn.k_proj": "attention.k",
    "self_attn.v_proj": "attention.v",
    "self_attn.qkv_proj": "attention.qkv",
    "self_attn.o_proj": "attention.o",
    "self_attn.gate_proj": "attention.gate",
    "self_attn.q_a_proj": "attention.q_a",
    "self_attn.q_b_proj": "attention.q_b",
    "self_attn.kv_a_proj_with_mqa": "attention.kv_a",
    "self_attn.kv_b_proj": "attention.kv_b",
    **{f"linear_attn.in_proj_{one}": f"linear_attention.{one}" for one in ("qkvz", "ba", "qkv", "z", "a", "b")},
    "linear_attn.out_proj": "linear_attention.o",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.gate_up_proj": "mlp.gate_up",
    "mlp.down_proj": "mlp.down",
    "mlp.experts.*.gate_proj": "mlp.gate",
    "mlp.experts.*.up_proj": "mlp.up",
    "mlp.experts.*.down_proj": "mlp.down",
    **{
        f"mlp.{shared}.{one}_proj": f"mlp.shared_{one}"
        for shared in ("shared_expert", "shared_experts", "shared_mlp")
        for one in ("gate", "up", "down")
    },
    "block_sparse_moe.experts.*.w1": "mlp.gate",
    "block_sparse_moe.experts.*.w3": "mlp.up",
    "block_sparse_moe.experts.*.w2": "mlp.down",
}
"""A linear layer's path in its block, an expert's number left out."""

_OTHERS = frozenset(
    {
        *("mlp.gate.weight", "mlp.gate.wg.weight", "mlp.router.gate.weight", "block_sparse_moe.gate.weight"),
        *("mlp.shared_expert_gate.weight", "mlp.moe_statics.e_score_correction_bias", "linear_attn.conv1d.weight"),
    }
)
"""What else is more than a vector in a block: routers, their gates and biases, convolutions."""

_OUTSIDE = frozenset({"model.embed_tokens.weight", "lm_head.weight"})
_FURTHER_TOKENS = "mtp."
"""How the tensors of a head begin that predicts several tokens at once; transformers reads none of them."""

_IN_A_BLOCK = re.compile(r"model\.layers\.(?P<block>\d+)\.(?P<path>.+)")
_EXAMPLE = "model.layers.0.mlp.up_proj.weight"
_EXPERT = re.compile(r"(?<=\.experts\.)\d+(?=\.)")


@final
@dataclass(frozen=True)
class Role:
    """A linear layer's place: the block, its part in it, and of a mixture the expert."""

    block: int
    part: str
    expert: int | None = None


def linear_layers(shapes: Mapping[str, tuple[int, ...]], model_type: object, model: str) -> dict[str, Role]:
    """Tensor name -> role of each linear layer inside a block, [out, in]: no embedding, output head or router.

    shapes: by published names. model: as the user knows it, for messages. Of a known architecture every matrix must be
    accounted for.
    """
    if model_type not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise CheckpointError(
            f"{model}: what its tensors do is not known for model_type {quoted(model_type)} (known: {known})"
        )
    found: dict[str, Role] = {}
    for name, shape in shapes.items():
        role = _role(name)
        if role is not None and len(shape) == 2:
            found[name] = role
        elif role is not None or (len(shape) > 1 and not _is_other_matrix(name)):
            raise CheckpointError(f"{model}: {quoted(name)} {list(shape)} is not a tensor of a {model_type} model")
    if not found:
        raise CheckpointError(f"{model}: no linear layer of a {model_type} model in it, such as {quoted(_EXAMPLE)}")
    return found


def _role(name: str) -> Role | None:
    match = _IN_A_BLOCK.fullmatch(name)
    if match is None or not name.endswith(".weight"):
        return None
    path = match["path"].removesuffix(".weight")
    expert = _EXPERT.search(path)
    part = _PARTS.get(_EXPERT.sub("*", path))
    return None if part is None else Role(int(match["block"]), part, int(expert[0]) if expert else None)


def _is_other_matrix(name: str) -> bool:
    match = _IN_A_BLOCK.fullmatch(name)
    return name in _OUTSIDE or name.startswith(_FURTHER_TOKENS) or (match is not None and match["path"] in _OTHERS)
