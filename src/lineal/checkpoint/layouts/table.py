"""The other layouts that architectures are met in, by model_type.

Each was seen in what transformers 5.23 writes; a test saves a model of each both ways.
"""

from collections.abc import Mapping, Sequence

from lineal.checkpoint.layouts.rules import Joined, Moved, Renamed, Rule, Stacked


def _stacked(block: str, gate: str, up: str, down: str, published: str = "") -> tuple[Stacked, Stacked]:
    """Gates and ups in one tensor, downs in another. block: as stored; published: as published, where that differs."""
    apart = f"{published or block}.experts.*"
    return (
        Stacked(f"{block}.experts.gate_up_proj", (f"{apart}.{gate}.weight", f"{apart}.{up}.weight")),
        Stacked(f"{block}.experts.down_proj", (f"{apart}.{down}.weight",)),
    )


_QWEN2_MOE = _stacked("mlp", "gate_proj", "up_proj", "down_proj")
_EXPERTS_OF_MIXTRAL = _stacked("mlp", "w1", "w3", "w2", published="block_sparse_moe")
_MIXTRAL = (*_EXPERTS_OF_MIXTRAL, Renamed("mlp.gate.weight", "block_sparse_moe.gate.weight"))
_GRANITE = (
    Renamed("block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.input_linear.weight"),
    Renamed("block_sparse_moe.experts.down_proj", "block_sparse_moe.output_linear.weight"),
    Renamed("block_sparse_moe.router.weight", "block_sparse_moe.router.layer.weight"),
)
_KEYS = ("linear_num_key_heads", "linear_key_head_dim")
_BIAS, _STATICS = "e_score_correction_bias", "moe_statics.e_score_correction_bias"

TABLE_VERSION = 1
"""Part of a layout hash: counted up where a row that was there comes to say something else."""

FUSED = "fused"
"""The layout that transformers 5 keeps in memory, and writes with `save_original_format=False`."""

PREFIXED = "prefixed"
"""A language model under the names that it has inside of a larger one."""

_FUSED: Mapping[str, Sequence[Rule]] = {
    **dict.fromkeys(
        (
            *("afmoe", "beam", "cohere2_moe", "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots1", "flex_olmo"),
            *("glm4_moe", "glm4_moe_lite", "glm_moe_dsa", "hunyuan_v1_moe", "mellum", "olmoe", "qwen2_moe"),
            *("qwen3_5_moe_text", "qwen3_moe", "qwen3_next", "solar_open"),
        ),
        _QWEN2_MOE,
    ),
    "ernie4_5_moe": (*_QWEN2_MOE, Renamed(f"mlp.gate.{_STATICS}", f"mlp.{_STATICS}")),
    "exaone_moe": (*_QWEN2_MOE, Renamed(f"mlp.gate.{_BIAS}", f"mlp.{_BIAS}")),
    **dict.fromkeys(("granitemoe", "granitemoehybrid", "granitemoeshared"), _GRANITE),
    "jamba": _stacked("feed_forward", "gate_proj", "up_proj", "down_proj"),
    "lfm2_moe": _stacked("feed_forward", "w1", "w3", "w2"),
    **dict.fromkeys(("minimax", "mixtral"), _MIXTRAL),
    "minimax_m2": (*_MIXTRAL, Renamed(f"mlp.{_BIAS}", f"block_sparse_moe.{_BIAS}")),
    "nemotron_h": (
        Stacked("mixer.experts.up_proj", ("mixer.experts.*.up_proj.weight",)),
        Stacked("mixer.experts.down_proj", ("mixer.experts.*.down_proj.weight",)),
        Moved("model.", "backbone."),
    ),
    "olmo_hybrid": (
        Renamed("input_layernorm.weight", "attention_layer_norm.weight"),
        Renamed("post_attention_layernorm.weight", "feedforward_layer_norm.weight"),
        Joined(
            "linear_attn.conv1d.weight",
            tuple(f"linear_attn.{one}_conv1d.weight" for one in "qkv"),
            (_KEYS, _KEYS, ("linear_num_value_heads", "linear_value_head_dim")),
        ),
    ),
    "phimoe": (*_EXPERTS_OF_MIXTRAL, Renamed("mlp.router.weight", "block_sparse_moe.gate.weight")),
}
_PREFIXED: Mapping[str, Sequence[Rule]] = dict.fromkeys(
    ("qwen3_5_moe_text", "qwen3_5_text"), (Moved("model.language_model.", "model."),)
)

PUBLISHED_ALONE: frozenset[str] = frozenset()
"""The architectures that transformers writes under the same names either way."""

LAYOUTS: Mapping[str, Mapping[str, Sequence[Rule]]] = {
    model_type: {
        name: rules[model_type] for name, rules in ((FUSED, _FUSED), (PREFIXED, _PREFIXED)) if model_type in rules
    }
    for model_type in sorted({*_FUSED, *_PREFIXED})
}
"""The other layouts of each architecture: by name, how what is stored in one makes the published tensors."""

LAYOUT_NAMES = tuple(dict.fromkeys(name for layouts in LAYOUTS.values() for name in layouts))
