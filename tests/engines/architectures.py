"""Small random models of the architectures that are known as GGUFs, each with what is peculiar to it made to matter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.engines.tiny_models import VOCABULARY, tokenizer

_SIZES: Mapping[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
    "attn_implementation": "eager",
}
_EXPERTS: Mapping[str, Any] = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_GEMMA: Mapping[str, Any] = {
    "head_dim": 32,
    "query_pre_attn_scalar": 32,
    "sliding_window": 8,
    "tie_word_embeddings": True,
}
_LONGROPE: Mapping[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 1000.0,
    "short_factor": [1.0 + i / 16 for i in range(8)],
    "long_factor": [2.0 + i / 4 for i in range(8)],
}
_LINEAR: Mapping[str, Any] = {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}
_YARN: Mapping[str, Any] = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 1000.0,
}
_LOCAL: Mapping[str, Any] = {"rope_type": "default", "rope_theta": 500.0}

MODELS: Mapping[str, Mapping[str, Any]] = {
    "mistral": {"model_type": "mistral", "sliding_window": None, "head_dim": 32},
    "mistral, whose window is as long as its positions": {"model_type": "mistral", "sliding_window": 128},
    "qwen2": {"model_type": "qwen2", "rope_parameters": _LINEAR},
    "qwen2, tied": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", "head_dim": 32, "tie_word_embeddings": True},
    "qwen3, yarn": {"model_type": "qwen3", "head_dim": 32, "rope_parameters": _YARN},
    "olmo2": {"model_type": "olmo2"},
    "phi3": {"model_type": "phi3", "num_key_value_heads": 4},
    "phi3, with a window of its own": {"model_type": "phi3", "sliding_window": 100},
    "phi3, partly turned": {
        "model_type": "phi3",
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.75},
    },
    "phi3, short texts": {
        "model_type": "phi3",
        "original_max_position_embeddings": 256,
        "max_position_embeddings": 256,  # llama.cpp has contexts of 256 n
        "rope_parameters": {**_LONGROPE, "factor": 4.0},
    },
    "phi3, long texts": {
        "model_type": "phi3",
        "original_max_position_embeddings": 16,
        "rope_parameters": _LONGROPE,
    },
    "gemma2": {"model_type": "gemma2", **_GEMMA, "num_hidden_layers": 4, "attn_logit_softcapping": 2.0},
    "gemma3": {"model_type": "gemma3_text", **_GEMMA, "num_hidden_layers": 7},
    "gemma3, scaled": {
        "model_type": "gemma3_text",
        **_GEMMA,
        "num_hidden_layers": 7,
        "final_logit_softcapping": 20.0,
        "rope_parameters": {"full_attention": _LINEAR, "sliding_attention": _LOCAL},
    },
    "gemma3, without windows": {"model_type": "gemma3_text", **_GEMMA, "layer_types": ["full_attention"] * 2},
    "smollm3": {"model_type": "smollm3", "num_hidden_layers": 5, "tie_word_embeddings": True},
    "mixtral": {"model_type": "mixtral", "num_local_experts": 6, "num_experts_per_tok": 2},
    "qwen2_moe": {"model_type": "qwen2_moe", **_EXPERTS, "shared_expert_intermediate_size": 64},
    "qwen2_moe, without biases": {
        "model_type": "qwen2_moe",
        **_EXPERTS,
        "shared_expert_intermediate_size": 64,
        "qkv_bias": False,
    },
    "qwen3_moe": {"model_type": "qwen3_moe", **_EXPERTS, "head_dim": 32, "norm_topk_prob": True},
}
"""By what a test calls it: the configuration. Prompts are longer than the windows, and than the first positions of
texts that are called long."""


def make_architecture(
    folder: Path, name: str, seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any
) -> Path:
    """A model of random weights whose logits have a deviation of about 3, saved by transformers, with a tokenizer.

    changes: to its configuration.
    """
    fields = {**_SIZES, **MODELS[name], **changes}
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for parameter_name, parameter in model.named_parameters():
        _fill(parameter_name, parameter)
    with torch.inference_mode():
        deviation = model(torch.arange(5, 60)[None]).logits.std()
    head: Any = model.get_output_embeddings()
    if not config.tie_word_embeddings:
        head.weight.data *= 3 / deviation
    model.to(dtype).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def learn_by_heart(folder: Path, ids: Sequence[int], steps: int = 120) -> None:
    """Train the model until it knows these tokens one after the other, so that what comes next is not in doubt."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, attn_implementation="eager")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    given = torch.tensor([list(ids)])
    for _ in range(steps):
        optimizer.zero_grad()
        model(given, labels=given).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def _fill(name: str, parameter: torch.nn.Parameter) -> None:
    """Matrices keep the size of what goes through them; norms and biases are far from their neutral values."""
    if parameter.dim() > 1:
        parameter.data.normal_(std=1.5 / parameter.shape[-1] ** 0.5)
    elif "norm" in name:
        parameter.data += 0.25 * torch.randn(parameter.shape)
    else:
        parameter.data.normal_(std=0.3)
