"""How language models are stored otherwise than published: experts in one tensor, convolutions joined, other names.

Each row was seen in what transformers 5.23 writes; a test saves a model of each both ways. Left out: hrm_text, stored
with less in one tensor than published; inkling2_text, whose names count layers from elsewhere; longcat_flash, which
stacks experts that compute nothing, too.
"""

from collections.abc import Iterable, Mapping, Sequence

from lineal.checkpoint.layouts.rules import Joined, Moved, Renamed, Rule, Stacked


def stacked(block: str, gate: str, up: str, down: str, published: str = "") -> tuple[Stacked, Stacked]:
    """Gates and ups in one tensor, downs in another. block: as stored; published: as published, where that differs."""
    apart = f"{published or block}.experts.*"
    return (
        Stacked(f"{block}.experts.gate_up_proj", (f"{apart}.{gate}.weight", f"{apart}.{up}.weight")),
        Stacked(f"{block}.experts.down_proj", (f"{apart}.{down}.weight",)),
    )


def renamed(published: Mapping[str, str], end: str = "") -> tuple[Renamed, ...]:
    """published: by stored name; both names end so, too."""
    return tuple(Renamed(stored + end, name + end) for stored, name in published.items())


def within(stored: str, published: str, names: Iterable[str]) -> tuple[Renamed, ...]:
    """Tensors that have the same name in another module."""
    return tuple(Renamed(f"{stored}.{name}", f"{published}.{name}") for name in names)


QWEN2_MOE = stacked("mlp", "gate_proj", "up_proj", "down_proj")
_EXPERTS_OF_MIXTRAL = stacked("mlp", "w1", "w3", "w2", published="block_sparse_moe")
_MIXTRAL = (*_EXPERTS_OF_MIXTRAL, *within("mlp", "block_sparse_moe", ("gate.weight",)))
_GRANITE = renamed(
    {
        "block_sparse_moe.experts.gate_up_proj": "block_sparse_moe.input_linear.weight",
        "block_sparse_moe.experts.down_proj": "block_sparse_moe.output_linear.weight",
        "block_sparse_moe.router.weight": "block_sparse_moe.router.layer.weight",
    }
)
ARIA = renamed(
    {"mlp.experts.gate_up_proj": "mlp.experts.fc1.weight", "mlp.experts.down_proj": "mlp.experts.fc2.weight"}
)
_KEYS = ("linear_num_key_heads", "linear_key_head_dim")
_BIAS, _STATICS = "e_score_correction_bias", "moe_statics.e_score_correction_bias"
_SHARED = ("gate_proj.weight", "up_proj.weight", "down_proj.weight")


def _convolutions(stored: str, published: str, heights: tuple[tuple[str, ...], ...] = ()) -> Joined:
    """Those of queries, keys and values in one. heights: where they may differ."""
    return Joined(f"{stored}.conv1d.weight", tuple(f"{published}.{one}_conv1d.weight" for one in "qkv"), heights)


KIMI_DELTA_ATTENTION = (
    _convolutions("self_attn", "self_attn"),
    *within("self_attn.forget_gate", "self_attn", ("f_a_proj.weight", "f_b_proj.weight", "dt_bias", "A_log")),
)
_BAILING = (
    Renamed("embed_tokens.weight", "word_embeddings.weight"),
    Renamed(f"mlp.gate.{_BIAS}", "mlp.gate.expert_bias"),
    _convolutions("self_attn", "attention"),
    *within("self_attn.forget_gate", "attention", ("f_proj.weight", "dt_bias", "A_log")),
    *within("self_attn", "attention", (f"{one}_proj.weight" for one in "bgkqv")),
    *within("self_attn", "attention", ("o_norm.weight", "kv_a_layernorm.weight", "kv_b_proj.weight")),
    *within("self_attn", "attention", ("kv_a_proj_with_mqa.weight", "kv_a_proj_with_mqa.bias")),
    *renamed({f"self_attn.o_proj.{one}": f"attention.dense.{one}" for one in ("weight", "bias")}),
)
LFM3 = (Renamed("self_attn.g_proj.weight", "self_attn.gate_proj.weight"),)
HYPER_CONNECTIONS = renamed(
    {f"{part}_hc.{name}": f"hc_{part}_{name}" for part in ("attn", "ffn") for name in ("fn", "base", "scale")}
)
_COMPRESSOR = {
    "gate_proj.weight": "wgate.weight",
    "kv_proj.weight": "wkv.weight",
    "kv_norm.weight": "norm.weight",
    "position_bias": "ape",
}
_OUTSIDE_OF_DEEPSEEK_V4 = (
    *(Moved(f"model.{one}.", f"{one}.") for one in ("layers", "norm")),
    Moved("model.embed_tokens.", "embed."),
    Moved("model.hc_head.hc_", "hc_head_"),
)
_DEEPSEEK_V4 = (
    *_OUTSIDE_OF_DEEPSEEK_V4,
    Moved("lm_head.", "head."),
    *stacked("mlp", "w1", "w3", "w2", published="ffn"),
    *renamed(
        {
            f"mlp.shared_experts.{one}": f"ffn.shared_experts.{other}"
            for one, other in (("gate_proj", "w1"), ("down_proj", "w2"), ("up_proj", "w3"))
        },
        ".weight",
    ),
    *within("mlp", "ffn", ("gate.weight", "gate.tid2eid")),
    Renamed(f"mlp.gate.{_BIAS}", "ffn.gate.bias"),
    *HYPER_CONNECTIONS,
    *renamed({"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}, ".weight"),
    *renamed({f"self_attn.compressor.{one}": f"attn.compressor.{other}" for one, other in _COMPRESSOR.items()}),
    *renamed(
        {
            f"self_attn.compressor.indexer.{one}": f"attn.indexer.compressor.{other}"
            for one, other in _COMPRESSOR.items()
        }
    ),
    *renamed(
        {
            "self_attn.compressor.indexer.q_b_proj": "attn.indexer.wq_b",
            "self_attn.compressor.indexer.scorer.weights_proj": "attn.indexer.weights_proj",
        },
        ".weight",
    ),
    *renamed(
        {
            "self_attn.kv_norm": "attn.kv_norm",
            "self_attn.kv_proj": "attn.wkv",
            "self_attn.q_a_norm": "attn.q_norm",
            "self_attn.q_a_proj": "attn.wq_a",
            "self_attn.q_b_proj": "attn.wq_b",
            "self_attn.o_a_proj": "attn.wo_a",
            "self_attn.o_b_proj": "attn.wo_b",
        },
        ".weight",
    ),
    Renamed("self_attn.sinks", "attn.attn_sink"),
)
_HYPER_CONNECTIONS_OF_HY_V4 = [
    (part, module, name)
    for part, module in (("attn", "hc_attn_layer"), ("ffn", "hc_mlp_layer"))
    for name in ("fn", "base", "scale")
]
_HY_V4 = (
    *renamed({f"{part}_hc.{name}": f"{module}.hc_pre.hc_{name}" for part, module, name in _HYPER_CONNECTIONS_OF_HY_V4}),
    *renamed({f"hc_head.hc_{name}": f"hc_head.hc_head_{name}" for name in ("fn", "base", "scale")}),
    *renamed(
        {
            "self_attn.sinks": "self_attn.learnable_sink_param",
            "self_attn.gate_proj.weight": "self_attn.linear_gate.weight",
        }
    ),
)

FUSED_LANGUAGE_MODELS: Mapping[str, Sequence[Rule]] = {
    **dict.fromkeys(
        (
            *("afmoe", "beam", "cohere2_moe", "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots1", "flex_olmo"),
            *("glm4_moe", "glm4_moe_lite", "glm_moe_dsa", "hunyuan_v1_moe", "mellum", "olmoe", "qwen2_moe"),
            *("qwen3_5_moe_text", "qwen3_moe", "qwen3_next", "solar_open"),
        ),
        QWEN2_MOE,
    ),
    "aria_text": ARIA,
    "axk1": (*QWEN2_MOE, Renamed("mlp.post_mlp_layernorm.weight", "post_mlp_layernorm.weight")),
    "axk2": (
        *QWEN2_MOE,
        Renamed("self_attn.q_gate_proj.weight", "self_attn.q_b_proj.weight"),
        *renamed(
            {
                f"{norm}.mlp.{one}": f"{norm}.{other}"
                for norm in ("input_layernorm", "post_attention_layernorm")
                for one, other in (("fc1", "W_down"), ("fc2", "W_up"))
            },
            ".weight",
        ),
    ),
    "bailing_hybrid": (*QWEN2_MOE, *_BAILING),
    "deepseek_v4": _DEEPSEEK_V4,
    "ernie4_5_moe": (*QWEN2_MOE, Renamed(f"mlp.gate.{_STATICS}", f"mlp.{_STATICS}")),
    "exaone_moe": (*QWEN2_MOE, Renamed(f"mlp.gate.{_BIAS}", f"mlp.{_BIAS}")),
    "flint": (*QWEN2_MOE, Renamed("self_attn.sinks", "self_attn.softmax_offset")),
    "gpt_neox": (Moved("lm_head.", "embed_out."),),
    **dict.fromkeys(("granitemoe", "granitemoehybrid", "granitemoeshared"), _GRANITE),
    "hy_v3": (
        *QWEN2_MOE,
        *renamed({"mlp.gate.weight": "mlp.router.gate.weight", f"mlp.{_BIAS}": "mlp.expert_bias"}),
        *within("mlp.shared_experts", "mlp.shared_mlp", _SHARED),
    ),
    "hy_v4": _HY_V4,
    "jamba": stacked("feed_forward", "gate_proj", "up_proj", "down_proj"),
    "kimi_linear": (
        *_EXPERTS_OF_MIXTRAL,
        *KIMI_DELTA_ATTENTION,
        *within("mlp", "block_sparse_moe", ("gate.weight", f"gate.{_BIAS}")),
        *within("mlp.shared_experts", "block_sparse_moe.shared_experts", _SHARED),
    ),
    "kolibri1": (
        *QWEN2_MOE,
        Renamed(f"mlp.gate.{_BIAS}", "moe.router.expert_bias"),
        *renamed({"post_self_attn_layernorm": "post_attn_norm", "post_mlp_layernorm": "post_ffn_norm"}, ".weight"),
    ),
    "laguna": (
        *QWEN2_MOE,
        Renamed(f"mlp.gate.{_BIAS}", f"mlp.experts.{_BIAS}"),
        *within("mlp.shared_experts", "mlp.shared_expert", _SHARED),
    ),
    "lfm2_moe": stacked("feed_forward", "w1", "w3", "w2"),
    "lfm3": LFM3,
    "mimo_v2_flash": (*QWEN2_MOE, Renamed("self_attn.sinks", "self_attn.attention_sink_bias")),
    **dict.fromkeys(("minimax", "mixtral"), _MIXTRAL),
    "minimax_m2": (*_MIXTRAL, Renamed(f"mlp.{_BIAS}", f"block_sparse_moe.{_BIAS}")),
    "nemotron_h": (
        Stacked("mixer.experts.up_proj", ("mixer.experts.*.up_proj.weight",)),
        Stacked("mixer.experts.down_proj", ("mixer.experts.*.down_proj.weight",)),
        Moved("model.", "backbone."),
    ),
    "olmo_hybrid": (
        *renamed(
            {"input_layernorm": "attention_layer_norm", "post_attention_layernorm": "feedforward_layer_norm"}, ".weight"
        ),
        _convolutions(
            "linear_attn", "linear_attn", (_KEYS, _KEYS, ("linear_num_value_heads", "linear_value_head_dim"))
        ),
    ),
    "phimoe": (*_EXPERTS_OF_MIXTRAL, Renamed("mlp.router.weight", "block_sparse_moe.gate.weight")),
}
PREFIXED_LANGUAGE_MODELS: Mapping[str, Sequence[Rule]] = dict.fromkeys(
    ("gemma3n_text", "qwen3_5_moe_text", "qwen3_5_text"), (Moved("model.language_model.", "model."),)
)
REWRITTEN_LANGUAGE_MODELS: Mapping[str, Sequence[Rule]] = {
    "deepseek_v4": (*_OUTSIDE_OF_DEEPSEEK_V4, Renamed("attn.norm.weight", "attn.kv_norm.weight")),
    "hy_v4": (
        *renamed(
            {
                f"hc_pre.{module}.hc_{name}": f"{module}.hc_pre.hc_{name}"
                for _, module, name in _HYPER_CONNECTIONS_OF_HY_V4
            }
        ),
        *renamed({f"hc_pre.hc_head.hc_head_{name}": f"hc_head.hc_head_{name}" for name in ("fn", "base", "scale")}),
        *renamed({f"{block}.linear_gate": f"{block}.gate_proj" for block in ("mlp", "mlp.shared_experts")}, ".weight"),
    ),
    "kimi_linear": within("block_sparse_moe", "mlp", _SHARED),
}
