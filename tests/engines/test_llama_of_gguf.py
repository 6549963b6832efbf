"""A GGUF runs: the logits of an f32 one are its parent's, of the others those of the rounded weights."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFValueType, dequantize
from safetensors.torch import load_file, save_file

from lineal.engines.inference.generate import generate
from lineal.engines.inference.language_model import load_model, load_tokenizer
from lineal.errors import CheckpointError
from tests.engines.quantizations import quantize
from tests.engines.scoring import evaluate
from tests.engines.tiny_models import make_model, write_data
from tests.ggufs import write_gguf
from tests.llamas import SCHEMES_OF_GGUF_PY, gguf_name, in_gguf, permuted

SIZES: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "tied": SIZES,
    "untied": {**SIZES, "tie_word_embeddings": False},
    "biases": {**SIZES, "attention_bias": True, "mlp_bias": True, "head_dim": 24},
    "padded vocabulary": {**SIZES, "vocab_size": 320},
    "linear": {**SIZES, "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}},
    "llama3": {**SIZES, "rope_parameters": LLAMA3},
}
IDS = torch.arange(5, 35)[None]


def logits(place: Path) -> torch.Tensor:
    with torch.inference_mode():
        return load_model(place)(IDS).logits


def with_biases(folder: Path) -> Path:
    """Biases are zero at the start, and would hide a permutation that is missing."""
    tensors = load_file(folder / "model.safetensors")
    for name, values in tensors.items():
        if name.endswith(".bias"):
            values.normal_()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_of_an_f32_gguf_are_its_parent_s(tmp_path: Path, variant: str) -> None:
    parent = with_biases(make_model(tmp_path / "m", **VARIANTS[variant]))
    expected, found = logits(parent), logits(quantize(parent, tmp_path / "q"))
    tolerance = 3e-6 if variant == "llama3" else 0.0  # transformers rounds the divisors, in float32, otherwise
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("scheme", SCHEMES_OF_GGUF_PY)
def test_a_gguf_runs_with_the_weights_that_it_stores(tmp_path: Path, scheme: str) -> None:
    parent = make_model(tmp_path / "m", **SIZES)
    stored = {name: values.numpy() for name, values in load_file(parent / "model.safetensors").items()}
    rounded = in_gguf(stored, {**SIZES, "tie_word_embeddings": True}, scheme)
    found = dict(load_model(quantize(parent, tmp_path / "q", scheme)).named_parameters())
    for name, values in stored.items():
        kind, raw = rounded[gguf_name(name)]
        expected = dequantize(raw.reshape(*values.shape[:-1], -1), GGMLQuantizationType[kind])
        heads = {"q": 4, "k": 2}.get(name[-13:-12] if name.endswith("_proj.weight") else "")
        ours = found[name].detach().numpy()
        assert np.array_equal(permuted(ours, heads) if heads else ours, expected)


def test_it_is_scored_against_its_parent(tmp_path: Path) -> None:
    parent, data = make_model(tmp_path / "m", **SIZES), write_data(tmp_path / "data.jsonl")
    found = {
        scheme: evaluate(quantize(parent, tmp_path / scheme, scheme), {"t": data}, reference=parent)["t"]
        for scheme in ("f32", "q8_0")
    }
    itself = evaluate(parent, {"t": data})["t"]
    assert found["f32"].kl == 0
    assert found["f32"].perplexity == itself.perplexity
    assert 0 < (found["q8_0"].kl or 0) < 0.1
    assert math.isclose(found["q8_0"].bits_per_byte, itself.bits_per_byte, rel_tol=0.05)


def test_it_continues_a_prompt_as_its_parent_does(tmp_path: Path) -> None:
    parent = make_model(tmp_path / "m", **SIZES)
    file = quantize(parent, tmp_path / "q")
    assert "".join(generate(file, "a model", 8)) == "".join(generate(parent, "a model", 8))
    assert load_tokenizer(file)("a model")["input_ids"] == load_tokenizer(parent)("a model")["input_ids"]


NUMBERS = {
    "vocab_size": 3,
    "context_length": 8,
    "embedding_length": 32,
    "block_count": 1,
    "feed_forward_length": 32,
    "attention.head_count": 2,
    "attention.head_count_kv": 1,
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"general.architecture": "mamba"}, "of the architecture 'mamba'; those that can be run: llama, qwen2, "),
        ({"llama.expert_gating_func": 2}, "the key 'llama.expert_gating_func' is not understood"),
        ({"llama.rope.scaling.type": "yarn"}, "rotary scaling 'yarn' is not understood"),
        ({"llama.block_count": None}, "llama.block_count must be a positive number, got None"),
        ({"llama.attention.head_count": 0}, "llama.attention.head_count must be a positive number, got 0"),
        ({"llama.block_count": 1 << 31}, "says it has 2147483648 blocks and holds 3 tensors"),
        ({"llama.attention.key_length": 8}, "keys, values and rotary embeddings differ in size: .8, 16."),
        ({"output_norm.weight": None}, "has no 'output_norm.weight'"),
        ({"blk.0.extra.weight": (32,)}, "'blk.0.extra.weight' is not a tensor of its architecture"),
        ({"token_embd.weight": (3, 64)}, r"'token_embd.weight' is \[3, 64\], its keys say \[3, 32\]"),
    ],
)
def test_a_foreign_gguf_that_is_not_understood_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    given = {"general.architecture": "llama", **{f"llama.{key}": count for key, count in NUMBERS.items()}}
    given |= {"llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.dimension_count": 16}
    shapes = {"token_embd.weight": (3, 32), "output_norm.weight": (32,), "blk.0.ffn_norm.weight": (32,)}
    keys = {**given, **{key: value for key, value in changes.items() if "." in key and not key.endswith(".weight")}}
    shapes |= {name: shape for name, shape in changes.items() if name.endswith(".weight")}
    kinds = {str: GGUFValueType.STRING, int: GGUFValueType.UINT32, float: GGUFValueType.FLOAT32}
    metadata = {key: (kinds[type(value)], value) for key, value in keys.items() if value is not None}
    metadata |= {
        "tokenizer.ggml.tokens": (GGUFValueType.ARRAY, ["a", "b", "c"], GGUFValueType.STRING),
    }
    tensors = {name: (np.ones(shape, np.float32), "F32") for name, shape in shapes.items() if shape is not None}
    with pytest.raises(CheckpointError, match=said):
        load_model(write_gguf(tmp_path / "x.gguf", tensors, metadata))
