"""A tiny model of each architecture: its own configuration class, with fields of known meaning made small."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

SMALL: Mapping[str, Any] = {
    **dict.fromkeys(("vocab_size",), 64),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "dff", "shared_intermediate_size"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    "num_key_value_heads": 2,
    "head_dim": 8,
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"), 64),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_k"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 16),
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "time_step_limit": (0.0, 1000.0),  # transformers 5.23 cannot open the infinity that it saves
    **dict.fromkeys(("n_group", "num_expert_group", "topk_group"), 1),
    "sliding_window": 8,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "v_head_dim": 8,
}
OVERRIDES: Mapping[str, Mapping[str, Any]] = {
    "axk2": {"head_dim": 4, "num_key_value_heads": 4},
    "afmoe": {"num_dense_layers": 2},
    "bamba": {
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_state": 8,
        "mamba_chunk_size": 16,
        "mamba_n_groups": 1,
        "attn_layer_indices": [1],
    },
    "codegen": {"rotary_dim": 4},
    "cohere2_moe": {"num_hidden_layers": 5, "first_k_dense_replace": 1, "sliding_window_pattern": 2},
    "ctrl": {"n_positions": 64},
    "deepseek_v2": {"num_key_value_heads": 4, "first_k_dense_replace": 2},
    "deepseek_v32": {"head_dim": 4, "num_key_value_heads": 4, "first_k_dense_replace": 2},
    "deepseek_v3": {"num_key_value_heads": 4, "head_dim": 4, "first_k_dense_replace": 2, "n_group": 1, "topk_group": 1},
    "dots1": {"n_shared_experts": 1, "first_k_dense_replace": 2, "max_window_layers": 2},
    "ernie4_5_moe": {"moe_layer_start_index": 1, "moe_num_shared_experts": 1},
    "exaone4": {"sliding_window_pattern": 3},
    "exaone_moe": {"sliding_window_pattern": 3},
    "falcon_h1": {
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_ssm": 64,
        "mamba_d_state": 8,
        "mamba_n_groups": 1,
        "mamba_chunk_size": 16,
    },
    "flint": {"num_hidden_layers": 6},
    "gemma3_text": {"sliding_window_pattern": 3, "num_hidden_layers": 5},
    "gemma3n_text": {
        "num_hidden_layers": 5,
        "num_kv_shared_layers": 0,
        "laurel_rank": 4,
        "altup_num_inputs": 2,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 64,
    },
    "gemma4_text": {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 64},
    "glm_moe_dsa": {"head_dim": 4, "num_key_value_heads": 4},
    "glm4_moe": {"first_k_dense_replace": 2},
    "glm4_moe_lite": {"num_key_value_heads": 4, "head_dim": 4},
    "gpt2": {"scale_attn_by_inverse_layer_idx": False},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]], "window_size": 8},
    "gptj": {"rotary_dim": 4},
    "granitemoehybrid": {
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_state": 8,
        "mamba_chunk_size": 16,
        "layer_types": ["linear_attention", "full_attention", "linear_attention", "full_attention"],
    },
    "hunyuan_v1_moe": {"moe_topk": [1, 2, 1, 2]},
    "jamba": {"mamba_d_state": 8, "attn_layer_period": 4, "attn_layer_offset": 1, "num_hidden_layers": 5},
    "laguna": {"num_attention_heads_per_layer": [4, 2, 4, 2]},
    "lfm2": {"full_attn_idxs": [1, 3]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"], "num_dense_layers": 1},
    "llama4_text": {"no_rope_layer_interval": 2, "interleave_moe_layer_step": 2, "intermediate_size_mlp": 48},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 16},
    "olmo_hybrid": {"linear_key_head_dim": 6, "linear_value_head_dim": 6},
    "qwen2": {"use_sliding_window": True, "max_window_layers": 2},
    "qwen2_moe": {"use_sliding_window": True, "max_window_layers": 3, "decoder_sparse_step": 2},
    "qwen3": {"use_sliding_window": True, "max_window_layers": 2},
    "qwen3_moe": {"mlp_only_layers": [1]},
    "qwen3_next": {"mlp_only_layers": [1]},
    "smollm3": {"use_sliding_window": True, "no_rope_layer_interval": 2},
    "youtu": {"head_dim": 4},
}
LARGEST = 3_000_000
NOT_TINY: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "bart",
            "bigbird_pegasus",
            "blenderbot",
            "cpmant",
            "kimi_linear",
            "longcat_flash",
            "marian",
            "mbart",
            "mvp",
            "pegasus",
            "prophetnet",
            "roc_bert",
            "trocr",
            "xlm",
        ),
        "has more than 3,000,000 parameters however small its known fields are",
    ),
    **dict.fromkeys(
        (
            "blt",
            "dots3_note",
            "emu3",
            "fuyu",
            "gemma3",
            "gemma3n",
            "gemma4",
            "gemma4_assistant",
            "gemma4_unified",
            "gemma4_unified_assistant",
            "git",
            "got_ocr2",
            "llama4",
            "mllama",
            "moss_transcribe_diarize",
            "musicgen",
            "musicgen_melody",
            "phi4_multimodal",
            "qwen3_5",
            "qwen3_5_moe",
            "qwen4_exp",
        ),
        "is made of several models, each with a configuration of its own",
    ),
    **dict.fromkeys(
        (
            "axk1",
            "cohere_compass_text",
            "dbrx",
            "dots3_note_text",
            "plbart",
            "qwen4_exp_text",
            "reformer",
            "whisper",
            "xmod",
            "zamba",
            "zamba2",
            "zaya",
        ),
        "its known fields do not fit each other when they are made small",
    ),
}


TINY_SENSES: Mapping[str, Any] = {
    **dict.fromkeys(("image_size", "window_size"), 16),
    "patch_size": 8,
    **dict.fromkeys(("depth", "num_hidden_layers", "encoder_layers"), 2),
    **dict.fromkeys(("embed_dim", "out_hidden_size", "encoder_ffn_dim"), 32),
    **dict.fromkeys(("attention_heads", "encoder_attention_heads"), 4),
    "spatial_merge_size": 2,
    "num_position_embeddings": 16,
    **dict.fromkeys(("num_global_layers", "temporal_patch_size"), 1),
    "fullatt_block_indexes": [1],
    "deepstack_visual_indexes": [0],
    "intermediate_layers_indices": [0],
    "vision_output_dim": 64,
}
"""What is small of a tower that sees or hears."""
BESIDE: Mapping[str, Any] = {
    **dict.fromkeys(("image_token_id", "image_token_index"), 5),
    "video_token_id": 6,
    "vision_feature_layer": -1,
    "mm_tokens_per_image": 1,
    "projection_dim": 32,
    "downsample_ratio": 0.5,
    "tie_word_embeddings": False,
}
"""What is small of a model that is made of several, beside those."""
INSIDE: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "glm5_next": {
        "text_config": {
            "num_key_value_heads": 4,
            **dict.fromkeys(("linear_head_dim", "index_head_dim"), 8),
            "linear_num_heads": 4,
            "index_n_heads": 2,
            **dict.fromkeys(("head_dim", "qk_rope_head_dim"), 0),
            "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
        }
    },
    "minimax_m3_vl": {
        "text_config": {
            "dense_intermediate_size": 24,
            "index_head_dim": 8,
            "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
            "layer_types": ["full_attention", "minimax_m3_sparse", "full_attention", "minimax_m3_sparse"],
        }
    },
    "mllama": {"text_config": {"cross_attention_layers": [1]}},
}


def tiny_config(model_type: str, overrides: Mapping[str, Any] | None = None) -> PreTrainedConfig:
    """Fields that the class has, in the words of its own documentation; nothing that it does not know."""
    kind = CONFIG_MAPPING[model_type]
    return kind(**{**_known(kind, SMALL), **OVERRIDES.get(model_type, {}), **(overrides or {})})


def _known(kind: type[PreTrainedConfig], small: Mapping[str, Any]) -> dict[str, Any]:
    known = {*inspect.signature(kind.__init__).parameters, *kind().to_dict()}
    return {name: value for name, value in small.items() if name in known}


def tiny_model(model_type: str, seed: int = 0, overrides: Mapping[str, Any] | None = None) -> PreTrainedModel:
    """Random weights and buffers, none at its neutral value; a ValueError where it cannot be made small."""
    return _made(AutoModelForCausalLM, tiny_config(model_type, overrides), seed)


def tiny_multimodal_model(
    model_type: str, seed: int = 0, inside: Mapping[str, Mapping[str, Any]] | None = None
) -> PreTrainedModel:
    """One that also sees or hears. inside: fields of the configurations in its own, all of which are made small."""
    kind = CONFIG_MAPPING[model_type]
    overrides = inside or INSIDE.get(model_type, {})
    parts = {
        name: _tiny_inside(type(config), overrides.get(name, {}))
        for name in kind.sub_configs
        if (config := getattr(kind(), name, None)) is not None
    }
    return _made(AutoModelForMultimodalLM, kind(**_known(kind, BESIDE), **parts), seed)


def _tiny_inside(kind: type[PreTrainedConfig], overrides: Mapping[str, Any]) -> dict[str, Any]:
    senses = any(word in kind.__name__ for word in ("Vision", "Audio", "Encoder"))
    small = {**SMALL, **TINY_SENSES} if senses else {**SMALL, **OVERRIDES.get(kind.model_type, {})}
    return kind(**{**_known(kind, small), **overrides}).to_dict()


def _made(auto: type[Any], config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    with torch.device("meta"):
        size = sum(p.numel() for p in auto.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{size:,} parameters")
    torch.manual_seed(seed)
    model = auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape)
            tensor.copy_(tensor + 0.05 * noise if tensor.dim() < 2 or "conv" in name else 0.2 * noise)
    return model.eval()
