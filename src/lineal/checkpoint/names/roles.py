"""What a tensor does in its model, by its name: "model.layers.3.mlp.up_proj.weight" is block 3, mlp.up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from lineal.errors import CheckpointError
from lineal.shown import quoted

ARCHITECTURES = (
    "apertus",
    "arcee",
    "cohere",
    "cohere2",
    "ernie4_5",
    "exaone4",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm",
    "glm4",
    "granite",
    "helium",
    "hunyuan_v1_dense",
    "llama",
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
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "seed_oss",
    "smollm3",
    "stablelm",
)
"""The model types whose tensor names are known; each was compared with what transformers writes."""

_PARTS = {
    "self_attn.q_proj": "attention.q",
    "self_attn.k_proj": "attention.k",
    "self_attn.v_proj": "attention.v",
    "self_attn.qkv_proj": "attention.qkv",
    "self_attn.o_proj": "attention.o",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.gate_up_proj": "mlp.gate_up",
    "mlp.down_proj": "mlp.down",
    "mlp.experts.*.gate_proj": "mlp.gate",
    "mlp.experts.*.up_proj": "mlp.up",
    "mlp.experts.*.down_proj": "mlp.down",
    "mlp.shared_expert.gate_proj": "mlp.shared_gate",
    "mlp.shared_expert.up_proj": "mlp.shared_up",
    "mlp.shared_expert.down_proj": "mlp.shared_down",
    "block_sparse_moe.experts.*.w1": "mlp.gate",
    "block_sparse_moe.experts.*.w3": "mlp.up",
    "block_sparse_moe.experts.*.w2": "mlp.down",
}
"""A linear layer's path in its block, an expert's number left out."""

_ROUTERS = frozenset({"mlp.gate", "mlp.shared_expert_gate", "block_sparse_moe.gate"})
_OUTSIDE = frozenset({"model.embed_tokens.weight", "lm_head.weight"})

_IN_A_BLOCK = re.compile(r"model\.layers\.(?P<block>\d+)\.(?P<path>.+)\.weight")
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

    model: as the user knows it, for messages. Of a known architecture every matrix must be accounted for.
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
    if match is None:
        return None
    expert = _EXPERT.search(match["path"])
    part = _PARTS.get(_EXPERT.sub("*", match["path"]))
    return None if part is None else Role(int(match["block"]), part, int(expert[0]) if expert else None)


def _is_other_matrix(name: str) -> bool:
    match = _IN_A_BLOCK.fullmatch(name)
    return name in _OUTSIDE or (match is not None and match["path"] in _ROUTERS)
