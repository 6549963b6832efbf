"""Architectures whose blocks have experts, one row each; numbers are those of transformers 5.23 and of llama.cpp."""

from lineal.engines.architecture.block_traits import SPARSE, always
from lineal.engines.gguf.dense import (
    ATTENDS_TO_ALL,
    BEFORE,
    HEAD_NORMS,
    KEYS,
    SILU,
    TURNED,
    UNBIASED,
    attention,
    sizes,
)
from lineal.engines.gguf.rotary import LLAMA, YARN, RotaryRule
from lineal.engines.gguf.row import Architecture, Key, Tensor

_USED = Key("experts_used", ("num_experts_per_tok",), ("expert_used_count",))
_EXPERTS = Key("experts", ("num_experts", "num_local_experts"), ("expert_count",))
_LOCAL_EXPERTS = Key("experts", ("num_local_experts", "num_experts"), ("expert_count",))
_EXPERT = Key("expert_feed_forward", ("moe_intermediate_size",), ("expert_feed_forward_length",))
_SHARED = Key("shared_feed_forward", ("shared_expert_intermediate_size",), ("expert_shared_feed_forward_length",))
_MIXTURES = {"which blocks are mixtures of experts": always(SPARSE)}

_ROUTED = (
    Tensor("mlp.gate", ("experts", "width")),
    Tensor("mlp.experts.*.gate_proj", ("expert_ahead", "width")),
    Tensor("mlp.experts.*.up_proj", ("expert_ahead", "width")),
    Tensor("mlp.experts.*.down_proj", ("width", "expert_ahead")),
)
_SHARED_EXPERT = (
    Tensor("mlp.shared_expert_gate", ("one", "width")),
    Tensor("mlp.shared_expert.gate_proj", ("shared_ahead", "width")),
    Tensor("mlp.shared_expert.up_proj", ("shared_ahead", "width")),
    Tensor("mlp.shared_expert.down_proj", ("width", "shared_ahead")),
)

MIXTRAL = Architecture(
    name="llama",
    model_type="mixtral",
    kind="MixtralForCausalLM",
    keys=(*KEYS, _LOCAL_EXPERTS, _USED),
    tensors=(
        *attention(),
        Tensor("block_sparse_moe.gate", ("experts", "width")),
        Tensor("block_sparse_moe.experts.*.w1", ("ahead", "width")),
        Tensor("block_sparse_moe.experts.*.w3", ("ahead", "width")),
        Tensor("block_sparse_moe.experts.*.w2", ("width", "ahead")),
        *BEFORE,
    ),
    defaults={
        **sizes(131072, 4096, 14336, 32, 32, 32000),
        "num_key_value_heads": 8,
        "sliding_window": None,
        "rms_norm_eps": 1e-5,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    fixed=SILU,
    rotary=RotaryRule(LLAMA.kinds, base=1_000_000.0),
    turned=TURNED,
)
QWEN2_MOE = Architecture(
    name="qwen2moe",
    model_type="qwen2_moe",
    kind="Qwen2MoeForCausalLM",
    keys=(*KEYS, _EXPERTS, _USED, _EXPERT, _SHARED),
    tensors=(*attention("qkv_bias"), *_ROUTED, *_SHARED_EXPERT, *BEFORE),
    defaults={
        **sizes(32768, 2048, 5632, 24, 16, 151936),
        "num_key_value_heads": 16,
        "num_experts": 60,
        "num_experts_per_tok": 4,
        "qkv_bias": True,
        "moe_intermediate_size": 1408,
        "shared_expert_intermediate_size": 5632,
        "norm_topk_prob": False,
    },
    fixed={**SILU, "norm_topk_prob": False},
    head="own",
    biases={"qkv_bias": "blk.0.attn_q.bias"},
    rotary=YARN,
    blocks={**ATTENDS_TO_ALL, **_MIXTURES},
    square=True,
)
QWEN3_MOE = Architecture(
    name="qwen3moe",
    model_type="qwen3_moe",
    kind="Qwen3MoeForCausalLM",
    keys=(*KEYS, _EXPERTS, _USED, _EXPERT),
    tensors=(*attention(), *HEAD_NORMS, *_ROUTED, *BEFORE),
    defaults={
        **sizes(32768, 2048, 6144, 24, 32, 151936),
        "num_key_value_heads": 4,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "norm_topk_prob": False,
        "use_sliding_window": False,
        "sliding_window": 4096,
    },
    fixed={**UNBIASED, "norm_topk_prob": True},
    rotary=YARN,
    blocks=_MIXTURES,
)

MIXTURES = (MIXTRAL, QWEN2_MOE, QWEN3_MOE)
