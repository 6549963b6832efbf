"""A Llama in a GGUF: its dimensions as config.json and as the metadata have them, its tensors and their names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from gguf import MODEL_ARCH, GGUFValueType, get_tensor_name_map

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.engines.gguf.rotary import Rotary, rotary_faults, rotary_of
from lineal.shown import quoted

ROTARY_DIVISORS = "rope_freqs.weight"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
TURNED = (".q_proj.weight", ".q_proj.bias", ".k_proj.weight", ".k_proj.bias")
"""Tensors whose rows rotary embeddings pair."""

_COUNTS = {
    "max_position_embeddings": 2048,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
"""With the defaults of transformers' LlamaConfig, as those below."""
_EPSILON = 1e-6
_ACTIVATION = "silu"


@final
@dataclass(frozen=True, kw_only=True)
class Llama:
    """What the shapes and the arithmetic of a Llama depend on."""

    context: int
    width: int
    feed_forward: int
    blocks: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    epsilon: float
    rotary: Rotary
    attention_bias: bool = False
    mlp_bias: bool = False


def llama_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Why a config is not that of a Llama that a GGUF can hold."""
    counts = {key: config.get(key, default) for key, default in _COUNTS.items()}
    counts.update({key: config[key] for key in ("num_key_value_heads", "head_dim") if config.get(key) is not None})
    wrong = {key: count for key, count in counts.items() if type(count) is not int or count < 1}
    for key, count in wrong.items():
        yield f"{key} must be a positive integer, got {quoted(count)}"
    if not wrong:
        yield from _head_faults(config)
    epsilon = config.get("rms_norm_eps", _EPSILON)
    if not isinstance(epsilon, int | float) or not 0 < epsilon < 1:
        yield f"rms_norm_eps must be in (0, 1), got {quoted(epsilon)}"
    if config.get("hidden_act", _ACTIVATION) != _ACTIVATION:
        yield f"hidden_act is {quoted(config['hidden_act'])}; llama.cpp's Llama has {_ACTIVATION}"
    yield from rotary_faults(config)


def _head_faults(config: Mapping[str, Any]) -> Iterator[str]:
    heads, kv_heads, head_size = _heads(config)
    if heads % kv_heads:
        yield f"num_attention_heads {heads} is not a multiple of num_key_value_heads {kv_heads}"
    width = config.get("hidden_size", _COUNTS["hidden_size"])
    if config.get("head_dim") is None and width % heads:
        yield f"hidden_size {width} is not a multiple of num_attention_heads {heads}"
    if head_size % 2:
        yield f"heads have {head_size} rows; rotary embeddings need an even number"


def _heads(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Heads, heads of keys and values, rows of a head."""
    heads = config.get("num_attention_heads", _COUNTS["num_attention_heads"])
    kv_heads = config.get("num_key_value_heads")
    head_size = config.get("head_dim")
    width = config.get("hidden_size", _COUNTS["hidden_size"])
    return heads, heads if kv_heads is None else kv_heads, width // heads if head_size is None else head_size


def llama_of_config(config: Mapping[str, Any]) -> Llama:
    """The dimensions that a config without faults says, or leaves to transformers' defaults."""
    counts = {key: config.get(key, default) for key, default in _COUNTS.items()}
    heads, kv_heads, head_size = _heads(config)
    return Llama(
        context=counts["max_position_embeddings"],
        width=counts["hidden_size"],
        feed_forward=counts["intermediate_size"],
        blocks=counts["num_hidden_layers"],
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        vocabulary=counts["vocab_size"],
        epsilon=float(config.get("rms_norm_eps", _EPSILON)),
        rotary=rotary_of(config, head_size),
        attention_bias=bool(config.get("attention_bias", False)),
        mlp_bias=bool(config.get("mlp_bias", False)),
    )


def llama_metadata(llama: Llama) -> dict[str, Value]:
    """The keys of the architecture, as llama.cpp's converter writes them for a config with a head_dim."""
    counts = {
        "vocab_size": llama.vocabulary,
        "context_length": llama.context,
        "embedding_length": llama.width,
        "block_count": llama.blocks,
        "feed_forward_length": llama.feed_forward,
        "attention.head_count": llama.heads,
        "attention.head_count_kv": llama.kv_heads,
        "attention.key_length": llama.head_size,
        "attention.value_length": llama.head_size,
        "rope.dimension_count": llama.head_size,
    }
    reals = {"attention.layer_norm_rms_epsilon": llama.epsilon, "rope.freq_base": llama.rotary.base}
    metadata = {f"llama.{key}": Value(GGUFValueType.UINT32, count) for key, count in counts.items()}
    if llama.rotary.factor != 1:
        metadata["llama.rope.scaling.type"] = Value(GGUFValueType.STRING, "linear")
        reals["rope.scaling.factor"] = llama.rotary.factor
    return {**metadata, **{f"llama.{key}": Value(GGUFValueType.FLOAT32, real) for key, real in reals.items()}}


def llama_tensors(llama: Llama, *, tied: bool) -> dict[str, tuple[int, ...]]:
    """Every tensor by transformers' name, with its shape; a tied output head is not stored."""
    width, ahead = llama.width, llama.feed_forward
    queries, keys = llama.heads * llama.head_size, llama.kv_heads * llama.head_size
    attention = {"q": (queries, width), "k": (keys, width), "v": (keys, width), "o": (width, queries)}
    mlp = {"gate": (ahead, width), "up": (ahead, width), "down": (width, ahead)}
    shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (llama.vocabulary, width), "model.norm.weight": (width,)}
    if not tied:
        shapes[HEAD] = (llama.vocabulary, width)
    for block in range(llama.blocks):
        place = f"model.layers.{block}"
        for part, shape in attention.items():
            shapes |= _linear(f"{place}.self_attn.{part}_proj", shape, biased=llama.attention_bias)
        for part, shape in mlp.items():
            shapes |= _linear(f"{place}.mlp.{part}_proj", shape, biased=llama.mlp_bias)
        shapes |= {f"{place}.{norm}_layernorm.weight": (width,) for norm in ("input", "post_attention")}
    return shapes


def _linear(path: str, shape: tuple[int, int], *, biased: bool) -> dict[str, tuple[int, ...]]:
    return {f"{path}.weight": shape, **({f"{path}.bias": shape[:1]} if biased else {})}


def gguf_names(llama: Llama, *, tied: bool) -> dict[str, str]:
    """Transformers' name of each tensor -> GGUF's."""
    table = get_tensor_name_map(MODEL_ARCH.LLAMA, llama.blocks)
    named = {name: table.get_name(name, (".weight", ".bias")) for name in llama_tensors(llama, tied=tied)}
    return cast(dict[str, str], named)  # the table has them all
