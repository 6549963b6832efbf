"""The Llama that a GGUF holds: the inverse of llama_keys.py."""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.decoded import decoded
from lineal.engines.gguf.llama_keys import ROTARY_DIVISORS, Llama
from lineal.engines.gguf.rotary import Rotary
from lineal.errors import CheckpointError
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]

_COUNTS = {
    "vocabulary": "llama.vocab_size",
    "context": "llama.context_length",
    "width": "llama.embedding_length",
    "blocks": "llama.block_count",
    "feed_forward": "llama.feed_forward_length",
    "heads": "llama.attention.head_count",
    "kv_heads": "llama.attention.head_count_kv",
}
_EPSILON = "llama.attention.layer_norm_rms_epsilon"
_HEAD_SIZES = ("llama.attention.key_length", "llama.attention.value_length", "llama.rope.dimension_count")
_BASE, _SCALING, _FACTOR = "llama.rope.freq_base", "llama.rope.scaling.type", "llama.rope.scaling.factor"


def llama_of_gguf(checkpoint: Checkpoint) -> Llama:
    """Its dimensions; a key of the architecture that is not understood is refused."""
    metadata, place = checkpoint.metadata, checkpoint.path
    unknown = metadata.keys() - {*_COUNTS.values(), _EPSILON, *_HEAD_SIZES, _BASE, _SCALING, _FACTOR}
    for key in sorted(unknown):
        if key.startswith("llama."):
            raise CheckpointError(f"{place}: the key {quoted(key)} is not understood")
    counts = {field: _count(checkpoint, key) for field, key in _COUNTS.items()}
    if counts["blocks"] > len(checkpoint):
        raise CheckpointError(f"{place}: says it has {counts['blocks']} blocks and holds {len(checkpoint)} tensors")
    sizes = {_count(checkpoint, key) for key in _HEAD_SIZES if key in metadata}
    sizes = sizes or {counts["width"] // counts["heads"]}
    if len(sizes) > 1:
        raise CheckpointError(f"{place}: keys, values and rotary embeddings differ in size: {sorted(sizes)}")
    return Llama(
        **counts,
        head_size=sizes.pop(),
        epsilon=_number(checkpoint, _EPSILON),
        rotary=_rotary(checkpoint),
        attention_bias="blk.0.attn_q.bias" in checkpoint,
        mlp_bias="blk.0.ffn_up.bias" in checkpoint,
    )


def _number(checkpoint: Checkpoint, key: str) -> float:
    found = checkpoint.metadata[key].content if key in checkpoint.metadata else None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        raise CheckpointError(f"{checkpoint.path}: {key} must be a positive number, got {quoted(found)}")
    return found


def _count(checkpoint: Checkpoint, key: str) -> int:
    found = _number(checkpoint, key)
    if not isinstance(found, int):
        raise CheckpointError(f"{checkpoint.path}: {key} must be a whole number, got {quoted(found)}")
    return found


def _rotary(checkpoint: Checkpoint) -> Rotary:
    scaling = checkpoint.metadata.get(_SCALING)
    base = _number(checkpoint, _BASE) if _BASE in checkpoint.metadata else 10000.0
    if scaling is not None and scaling.content not in ("none", "linear"):
        raise CheckpointError(f"{checkpoint.path}: rotary scaling {quoted(scaling.content)} is not understood")
    factor = _number(checkpoint, _FACTOR) if scaling is not None and scaling.content == "linear" else 1.0
    found = decoded(checkpoint, checkpoint[ROTARY_DIVISORS]) if ROTARY_DIVISORS in checkpoint else []
    return Rotary(base, factor, tuple(float(divisor) for divisor in found))


def llama_config(llama: Llama, *, tied: bool) -> dict[str, Any]:
    """The config.json of a transformers Llama that computes the same."""
    rope: dict[str, Any] = {"rope_theta": llama.rotary.base, "rope_type": "default"}
    if llama.rotary.factor != 1:
        rope |= {"rope_type": "linear", "factor": llama.rotary.factor}
    if llama.rotary.divisors:  # longrope is how transformers takes a divisor for every pair
        divisors = [llama.rotary.factor * divisor for divisor in llama.rotary.divisors]
        rope |= {"rope_type": "longrope", "short_factor": divisors, "long_factor": divisors}
        rope |= {"attention_factor": 1.0, "original_max_position_embeddings": llama.context}
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": llama.vocabulary,
        "max_position_embeddings": llama.context,
        "hidden_size": llama.width,
        "intermediate_size": llama.feed_forward,
        "num_hidden_layers": llama.blocks,
        "num_attention_heads": llama.heads,
        "num_key_value_heads": llama.kv_heads,
        "head_dim": llama.head_size,
        "rms_norm_eps": llama.epsilon,
        "rope_parameters": rope,
        "attention_bias": llama.attention_bias,
        "mlp_bias": llama.mlp_bias,
        "tie_word_embeddings": tied,
    }
