"""Architectures without experts, one row each; the numbers are those of transformers 5.23 and of llama.cpp."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lineal.engines.architecture.block_traits import FULL, Config, always, last_of
from lineal.engines.gguf.rotary import LLAMA, PLAIN, YARN, RotaryRule
from lineal.engines.gguf.row import ALWAYS, Architecture, Key, Tensor

KEYS = (
    Key("vocabulary", ("vocab_size",), ("vocab_size",)),
    Key("context", ("max_position_embeddings",), ("context_length",)),
    Key("width", ("hidden_size",), ("embedding_length",)),
    Key("feed_forward", ("intermediate_size",), ("feed_forward_length",)),
    Key("blocks", ("num_hidden_layers",), ("block_count",)),
    Key("heads", ("num_attention_heads",), ("attention.head_count",)),
    Key("kv_heads", ("num_key_value_heads",), ("attention.head_count_kv",)),
    Key("head_size", ("head_dim",), ("attention.key_length", "attention.value_length")),
    Key("epsilon", ("rms_norm_eps",), ("attention.layer_norm_rms_epsilon",), real=True),
)
_WINDOW = Key("window", ("sliding_window",), ("attention.sliding_window",))
_MAYBE_WINDOW = replace(_WINDOW, optional=True)
_PHI_WINDOW = replace(_WINDOW, optional=True, none=0)
_ATTENTION_CAP = Key("attention_cap", ("attn_logit_softcapping",), ("attn_logit_softcapping",), real=True)
_FINAL_CAP = Key("final_cap", ("final_logit_softcapping",), ("final_logit_softcapping",), real=True)
_MAYBE_FINAL_CAP = replace(_FINAL_CAP, optional=True)

ATTENTION_KIND, POSITIONS_USE = "the kind of attention", "the use of rotary positions"
ATTENDS_TO_ALL = {ATTENTION_KIND: always(FULL)}
TURNED = (".q_proj.weight", ".q_proj.bias", ".k_proj.weight", ".k_proj.bias")
"""Tensors whose rows rotary embeddings pair."""


def attention(bias: str | None = None, output_bias: str | None = None) -> tuple[Tensor, ...]:
    """Four matrices. bias: of queries, keys and values; output_bias: of what puts heads together."""
    return (
        Tensor("self_attn.q_proj", ("queries", "width"), bias),
        Tensor("self_attn.k_proj", ("keys", "width"), bias),
        Tensor("self_attn.v_proj", ("keys", "width"), bias),
        Tensor("self_attn.o_proj", ("width", "queries"), output_bias),
    )


def feed_forward(bias: str | None = None) -> tuple[Tensor, ...]:
    return (
        Tensor("mlp.gate_proj", ("ahead", "width"), bias),
        Tensor("mlp.up_proj", ("ahead", "width"), bias),
        Tensor("mlp.down_proj", ("width", "ahead"), bias),
    )


def norms(*names: str) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, ("width",)) for name in names)


BEFORE = norms("input_layernorm", "post_attention_layernorm")
"""Norms of what goes into attention, and of what goes into the rest of the block."""
HEAD_NORMS = (Tensor("self_attn.q_norm", ("head",)), Tensor("self_attn.k_norm", ("head",)))
_AROUND = (*BEFORE, *norms("pre_feedforward_layernorm", "post_feedforward_layernorm"))
_WIDE_NORMS = (Tensor("self_attn.q_norm", ("queries",)), Tensor("self_attn.k_norm", ("keys",)))


def sizes(context: int, width: int, ahead: int, blocks: int, heads: int, vocabulary: int) -> dict[str, Any]:
    """What a config.json without a word means."""
    return {
        "max_position_embeddings": context,
        "hidden_size": width,
        "intermediate_size": ahead,
        "num_hidden_layers": blocks,
        "num_attention_heads": heads,
        "vocab_size": vocabulary,
        "rms_norm_eps": 1e-6,
    }


def _all_but_every_fourth(_: Config, blocks: int) -> list[Any]:
    """Blocks that use rotary positions, as llama.cpp has it of any SmolLM3."""
    return [int((i + 1) % 4 != 0) for i in range(blocks)]


SILU: Mapping[str, Any] = {"hidden_act": "silu"}
UNBIASED: Mapping[str, Any] = {**SILU, "attention_bias": False}
_GEMMA: Mapping[str, Any] = {
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "use_bidirectional_attention": False,
}

LLAMA_ROW = Architecture(
    name="llama",
    model_type="llama",
    kind="LlamaForCausalLM",
    keys=KEYS,
    tensors=(*attention("attention_bias", "attention_bias"), *feed_forward("mlp_bias"), *BEFORE),
    defaults=sizes(2048, 4096, 11008, 32, 32, 32000),
    fixed=SILU,
    rotary=LLAMA,
    biases={"attention_bias": "blk.0.attn_q.bias", "mlp_bias": "blk.0.ffn_up.bias"},
    turned=TURNED,
)
MISTRAL = Architecture(
    name="llama",
    model_type="mistral",
    kind="MistralForCausalLM",
    keys=KEYS,
    tensors=(*attention(), *feed_forward(), *BEFORE),
    defaults={
        **sizes(131072, 4096, 14336, 32, 32, 32000),
        "num_key_value_heads": 8,
        "sliding_window": 4096,
    },
    fixed=SILU,
    rotary=LLAMA,
    turned=TURNED,
)
QWEN2 = Architecture(
    name="qwen2",
    model_type="qwen2",
    kind="Qwen2ForCausalLM",
    keys=KEYS,
    tensors=(*attention(ALWAYS), *feed_forward(), *BEFORE),
    defaults={**sizes(32768, 4096, 22016, 32, 32, 151936), "num_key_value_heads": 32},
    fixed=SILU,
    rotary=YARN,
    blocks=ATTENDS_TO_ALL,
    square=True,
)
QWEN3 = Architecture(
    name="qwen3",
    model_type="qwen3",
    kind="Qwen3ForCausalLM",
    keys=KEYS,
    tensors=(*attention(), *HEAD_NORMS, *feed_forward(), *BEFORE),
    defaults={**sizes(32768, 4096, 22016, 32, 32, 151936), "num_key_value_heads": 32, "head_dim": 128},
    fixed=UNBIASED,
    rotary=YARN,
    blocks=ATTENDS_TO_ALL,
)
OLMO2 = Architecture(
    name="olmo2",
    model_type="olmo2",
    kind="Olmo2ForCausalLM",
    keys=KEYS,
    tensors=(
        *attention(),
        *_WIDE_NORMS,
        *feed_forward(),
        *norms("post_attention_layernorm", "post_feedforward_layernorm"),
    ),
    defaults={**sizes(2048, 4096, 11008, 32, 32, 50304), "rms_norm_eps": 1e-5},
    fixed=UNBIASED,
    head="own",
    square=True,
)
PHI3 = Architecture(
    name="phi3",
    model_type="phi3",
    kind="Phi3ForCausalLM",
    keys=(*KEYS, _PHI_WINDOW),
    tensors=(
        Tensor("self_attn.qkv_proj", ("joined", "width")),
        Tensor("self_attn.o_proj", ("width", "queries")),
        Tensor("mlp.gate_up_proj", ("twice_ahead", "width")),
        Tensor("mlp.down_proj", ("width", "ahead")),
        *BEFORE,
    ),
    defaults={**sizes(4096, 3072, 8192, 32, 32, 32064), "rms_norm_eps": 1e-5},
    fixed=SILU,
    rotary=RotaryRule(("default", "longrope"), partial=True, original=4096, long=True),
    square=True,
    ignores_windows=True,
)
GEMMA2 = Architecture(
    name="gemma2",
    model_type="gemma2",
    kind="Gemma2ForCausalLM",
    keys=(*KEYS, _WINDOW, _ATTENTION_CAP, _FINAL_CAP),
    tensors=(*attention(), *feed_forward(), *_AROUND),
    defaults={
        **sizes(8192, 2304, 9216, 26, 8, 256000),
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window": 4096,
        "query_pre_attn_scalar": 256,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        **_GEMMA,
    },
    fixed=_GEMMA,
    head="tied",
    windows=last_of(2),
    raised=1.0,
    scaled_by_width=46,
)
GEMMA3 = Architecture(
    name="gemma3",
    model_type="gemma3_text",
    kind="Gemma3ForCausalLM",
    keys=(*KEYS, _MAYBE_WINDOW, _MAYBE_FINAL_CAP),
    tensors=(*attention(), *HEAD_NORMS, *feed_forward(), *_AROUND),
    defaults={
        **sizes(131072, 2304, 9216, 26, 8, 262208),
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window": 4096,
        "query_pre_attn_scalar": 256,
        **_GEMMA,
    },
    fixed={**_GEMMA, "attn_logit_softcapping": None},
    rotary=RotaryRule(PLAIN.kinds, base=1_000_000.0, local_base=10000.0),
    windows=last_of(6),
    raised=1.0,
    scaled_by_width=62,
)
SMOLLM3 = Architecture(
    name="smollm3",
    model_type="smollm3",
    kind="SmolLM3ForCausalLM",
    keys=KEYS,
    tensors=(*attention(), *feed_forward(), *BEFORE),
    defaults={**sizes(32768, 2048, 11008, 36, 16, 128256), "num_key_value_heads": 4, "mlp_bias": False},
    fixed={**UNBIASED, "mlp_bias": False},
    rotary=RotaryRule(PLAIN.kinds, base=2_000_000.0),
    blocks={**ATTENDS_TO_ALL, POSITIONS_USE: _all_but_every_fourth},
    turned=TURNED,
)

DENSE = (LLAMA_ROW, MISTRAL, QWEN2, QWEN3, OLMO2, PHI3, GEMMA2, GEMMA3, SMOLLM3)
