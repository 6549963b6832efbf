"""The Llama that a GGUF holds: the inverse of gguf_llama.py, its weights as transformers lays them out."""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from numpy.typing import NDArray

from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.llama_keys import ROTARY_DIVISORS, TURNED, Llama, gguf_names, llama_tensors
from lineal.engines.gguf.rotary import Rotary
from lineal.errors import CheckpointError
from lineal.methods.quantize.rotary_pairs import halves
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
    architecture = metadata[ARCHITECTURE].content if ARCHITECTURE in metadata else None
    if architecture != "llama":
        raise CheckpointError(
            f"{place}: a GGUF of the architecture {quoted(architecture)}; llama is the one that can be run"
        )
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
    found = _values(checkpoint, checkpoint[ROTARY_DIVISORS]) if ROTARY_DIVISORS in checkpoint else []
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


def is_tied(checkpoint: Checkpoint) -> bool:
    """Whether the embedding makes the logits, too."""
    return "output.weight" not in checkpoint


def llama_weights(checkpoint: Checkpoint, llama: Llama) -> Iterator[tuple[str, Float32]]:
    """transformers' name of each tensor and its values."""
    for name, spec in check_tensors(checkpoint, llama).items():
        values = _values(checkpoint, spec)
        yield name, halves(values, llama.head_size) if name.endswith(TURNED) else values


def check_tensors(checkpoint: Checkpoint, llama: Llama) -> dict[str, TensorSpec]:
    """transformers' name of each tensor; what is missing, left over or of another shape is refused."""
    tied = is_tied(checkpoint)
    names, shapes = gguf_names(llama, tied=tied), llama_tensors(llama, tied=tied)
    for unknown in sorted(checkpoint.keys() - {*names.values(), ROTARY_DIVISORS}):
        raise CheckpointError(f"{checkpoint.path}: {quoted(unknown)} is no tensor of its architecture")
    found: dict[str, TensorSpec] = {}
    for name, shape in shapes.items():
        if names[name] not in checkpoint:
            raise CheckpointError(f"{checkpoint.path}: has no {quoted(names[name])}")
        found[name] = checkpoint[names[name]]
        if found[name].shape != shape:
            is_shape = list(found[name].shape)
            raise CheckpointError(f"{checkpoint.path}: {quoted(names[name])} is {is_shape}, its keys say {list(shape)}")
    return found


def _values(checkpoint: Checkpoint, spec: TensorSpec) -> Float32:
    """A tensor whole, in float32, by gguf's own decoders: they know every type."""
    raw = np.frombuffer(checkpoint.read(spec.name), np.uint8)
    rows = raw.reshape(*spec.shape[:-1], byte_length(spec.dtype, spec.shape[-1]))
    try:
        return dequantize(rows, GGMLQuantizationType[spec.dtype]).reshape(spec.shape)
    except NotImplementedError:
        raise CheckpointError(
            f"{checkpoint.path}: {quoted(spec.name)} is {spec.dtype}, which cannot be decoded"
        ) from None
