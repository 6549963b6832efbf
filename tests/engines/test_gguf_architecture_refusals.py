"""What llama.cpp has no word for is refused, and names itself: in a config, and in a GGUF from elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFValueType
from safetensors.torch import load_file, save_file

from lineal.checkpoint.reader import open_checkpoint, read_json
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.config_keys import config_of
from lineal.engines.gguf.metadata_keys import dimensions_of_gguf
from lineal.engines.gguf.parent import gguf_tensors
from lineal.engines.quantize.gguf_plan import gguf_tensors as gguf_shapes
from lineal.errors import CheckpointError
from lineal.methods.quantize.gguf import GgufQuantization
from tests.builders import write_json
from tests.engines.architectures import make_architecture
from tests.engines.quantizations import plan, quantize
from tests.ggufs import write_gguf

_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}
_FULL, _SLIDING = "full_attention", "sliding_attention"
REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "mistral": [
        ({"sliding_window": 64}, "sliding_window is 64, shorter than max_position_embeddings 128; llama.cpp's llama"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; llama.cpp's llama has 'silu'"),
    ],
    "qwen2": [
        (
            {"layer_types": [_FULL, _SLIDING]},
            "the kind of attention in block 1 is 'sliding_attention'; llama.cpp's",
        ),
        ({"head_dim": 32}, "4 heads of 32 rows; llama.cpp's qwen2 has as many rows as hidden_size, 64"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rope_scaling 'llama3' is not supported"),
        ({"layer_types": [_FULL]}, "the kind of attention is said of 1 blocks, there are 2"),
        ({"num_hidden_layers": 513}, "num_hidden_layers is 513; llama.cpp loads at most 512"),
    ],
    "qwen3, yarn": [
        ({"rope_parameters": {**_YARN, "mscale": 2}}, "rope_scaling 'yarn' has mscale 2; llama.cpp's qwen3 has None"),
        ({"rope_parameters": {**_YARN, "beta_fast": 8}}, "'yarn' has beta_fast 8; llama.cpp's qwen3 has 32"),
        (
            {"rope_parameters": {**_YARN, "original_max_position_embeddings": None}},
            "rope_scaling 'yarn' needs a positive original_max_position_embeddings, got None",
        ),
    ],
    "qwen3": [({"attention_bias": True}, "attention_bias is True; llama.cpp's qwen3 has False")],
    "olmo2": [({"num_attention_heads": 2, "head_dim": 16}, "2 heads of 16 rows; llama.cpp's olmo2 has as many rows")],
    "phi3": [
        ({"rope_parameters": {"rope_type": "linear", "factor": 2}}, "rope_scaling 'linear' is not supported"),
        (
            {"rope_parameters": {"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}},
            "rope_scaling 'longrope' has 1 factors; 8 pairs of rows are turned",
        ),
        ({"original_max_position_embeddings": 1}, "original_max_position_embeddings must be a whole number above 1"),
    ],
    "gemma2": [
        ({"attn_logit_softcapping": None}, "attn_logit_softcapping must be a positive number, got None"),
        ({"query_pre_attn_scalar": 16}, "query_pre_attn_scalar is 16; llama.cpp's gemma2 of 4 blocks has 32"),
        ({"layer_types": [_FULL] * 4}, "the kind of attention in block 0 is 'full_attention'; llama.cpp's gemma2"),
        ({"hidden_activation": "gelu"}, "hidden_activation is 'gelu'; llama.cpp's gemma2 has 'gelu_pytorch_tanh'"),
        ({"tie_word_embeddings": False}, "its output head is not its embedding; llama.cpp's gemma2 has none"),
        ({"use_bidirectional_attention": True}, "use_bidirectional_attention is True; llama.cpp's gemma2 has False"),
    ],
    "gemma3": [
        ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping is 50.0; llama.cpp's gemma3 has None"),
        ({"layer_types": [_SLIDING] * 7}, "the kind of attention in block 5 is 'sliding_attention'; llama.cpp's"),
        (
            {"rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2.0}}},
            "rope_scaling 'linear' of layers with a window has no place in a GGUF",
        ),
    ],
    "smollm3": [
        ({"no_rope_layers": [1] * 5}, "the use of rotary positions in block 3 is 1; llama.cpp's smollm3 has 0 there"),
        ({"mlp_bias": True}, "mlp_bias is True; llama.cpp's smollm3 has False"),
    ],
    "mixtral": [({"num_experts_per_tok": 7}, "chooses 7 experts of 6")],
    "qwen2_moe": [
        ({"norm_topk_prob": True}, "norm_topk_prob is True; llama.cpp's qwen2moe has False"),
        ({"mlp_only_layers": [1]}, "which blocks are mixtures of experts in block 1 is 'dense'; llama.cpp's qwen2moe"),
    ],
    "qwen3_moe": [
        ({"norm_topk_prob": False}, "norm_topk_prob is False; llama.cpp's qwen3moe has True"),
        ({"use_sliding_window": True, "sliding_window": 8}, "sliding_window is 8, shorter than"),
    ],
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_config_that_llama_cpp_has_no_word_for_is_refused(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    config = read_json(parent / "config.json")
    for changes, said in REFUSED[name]:
        write_json(parent / "config.json", {**config, **changes})
        with pytest.raises(CheckpointError) as told:
            plan(parent)
        assert said in str(told.value)
        assert "\n" not in str(told.value)


def test_an_output_head_that_must_be_there_is_asked_for(tmp_path: Path) -> None:
    parent = make_architecture(tmp_path / "m", "olmo2")
    write_json(parent / "config.json", {**read_json(parent / "config.json"), "tie_word_embeddings": True})
    weights = load_file(parent / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, parent / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"its output head is its embedding; llama.cpp's olmo2 has one of its own"
    ):
        plan(parent)


def test_experts_are_counted_before_they_are_named() -> None:
    config = {"model_type": "qwen3_moe", "num_experts": 10**9, "norm_topk_prob": True}
    with pytest.raises(CheckpointError, match=r"num_experts is 1000000000; llama.cpp loads at most 1024"):
        gguf_shapes(GgufQuantization(scheme="f16"), config, [], "m")


def test_of_27b_gemma_scales_scores_by_the_width_of_its_heads(tmp_path: Path) -> None:
    parent = make_architecture(tmp_path / "m", "gemma2")
    config = read_json(parent / "config.json")
    write_json(parent / "config.json", {**config, "num_hidden_layers": 46, "layer_types": None})
    with pytest.raises(CheckpointError, match=r"query_pre_attn_scalar is 32; llama.cpp's gemma2 of 46 blocks has 16"):
        plan(parent)


def test_what_llama_cpp_makes_otherwise_of_what_it_is_told_is_said(tmp_path: Path) -> None:
    windowed = make_architecture(tmp_path / "m", "phi3, with a window of its own")
    assert plan(windowed).remarks == ("m attends to the last 100 tokens alone; llama.cpp's phi3 attends to all of 128",)
    (remark,) = plan(make_architecture(tmp_path / "long", "phi3, long texts")).remarks
    assert remark == (
        "long has other positions for texts longer than 16 tokens; llama.cpp for contexts longer than that"
    )


TEXT, U32, F32 = GGUFValueType.STRING, GGUFValueType.UINT32, GGUFValueType.FLOAT32
GEMMA: dict[str, Any] = {
    "gemma2.context_length": 64,
    "gemma2.embedding_length": 32,
    "gemma2.block_count": 1,
    "gemma2.feed_forward_length": 32,
    "gemma2.attention.head_count": 2,
    "gemma2.attention.head_count_kv": 1,
    "gemma2.attention.key_length": 16,
    "gemma2.attention.value_length": 16,
    "gemma2.attention.layer_norm_rms_epsilon": 1e-6,
    "gemma2.attention.sliding_window": 8,
    "gemma2.attn_logit_softcapping": 50.0,
    "gemma2.final_logit_softcapping": 30.0,
}
SHAPES = {
    "token_embd": (3, 32),
    "output_norm": (32,),
    **{f"blk.0.{norm}": (32,) for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")},
    "blk.0.attn_q": (32, 32),
    "blk.0.attn_k": (16, 32),
    "blk.0.attn_v": (16, 32),
    "blk.0.attn_output": (32, 32),
    **{f"blk.0.ffn_{name}": (32, 32) for name in ("gate", "up", "down")},
}


def foreign(path: Path, changes: dict[str, Any], shapes: dict[str, tuple[int, ...] | None]) -> Path:
    kinds = {int: U32, float: F32, str: TEXT}
    keys = {key: value for key, value in {**GEMMA, **changes}.items() if value is not None}
    metadata = {key: (kinds[type(value)], value) for key, value in keys.items()}
    tensors = {
        f"{name}.weight": (np.ones(shape, np.float32), "F32")
        for name, shape in {**SHAPES, **shapes}.items()
        if shape is not None
    }
    return write_gguf(path, tensors, {"general.architecture": (TEXT, "gemma2"), **metadata})


def test_a_foreign_gguf_is_read_by_the_keys_that_llama_cpp_s_converter_writes(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(foreign(tmp_path / "x.gguf", {}, {}))
    row = architecture_of(checkpoint)
    config = config_of(row, dimensions_of_gguf(row, checkpoint))
    assert {key: config[key] for key in ("vocab_size", "sliding_window", "tie_word_embeddings")} == {
        "vocab_size": 3,
        "sliding_window": 8,
        "tie_word_embeddings": True,
    }
    assert config["rope_parameters"] == {"rope_theta": 10000.0, "rope_type": "default"}
    assert gguf_tensors(checkpoint)["model.norm.weight"].added == -1


@pytest.mark.parametrize(
    ("changes", "shapes", "said"),
    [
        (
            {"gemma2.attention.sliding_window_pattern": 3},
            {},
            "the key 'gemma2.attention.sliding_window_pattern' is",
        ),
        ({"gemma2.attention.sliding_window": None}, {}, "gemma2.attention.sliding_window must be a positive number"),
        ({"gemma2.attention.head_count": 3, "gemma2.attention.head_count_kv": 2}, {}, "num_attention_heads 3 is not a"),
        ({"gemma2.attention.key_length": 15, "gemma2.attention.value_length": 15}, {}, "heads have 15 rows; rotary"),
        ({"gemma2.attention.layer_norm_rms_epsilon": 2.0}, {}, "rms_norm_eps must be in (0, 1), got 2.0"),
        ({"gemma2.rope.scaling.type": "yarn"}, {}, "rotary scaling 'yarn' is not understood"),
        ({}, {"output": (3, 32)}, "'output.weight' is not a tensor of its architecture"),
        ({}, {"blk.0.post_ffw_norm": None}, "has no 'blk.0.post_ffw_norm.weight'"),
        ({}, {"blk.0.attn_q": (64, 32)}, r"is [64, 32], its keys say [32, 32]"),
        ({}, {"rope_freqs": (8,)}, "'rope_freqs.weight' is not a tensor of its architecture"),
    ],
)
def test_a_foreign_gguf_that_is_not_understood_is_refused(
    tmp_path: Path, changes: dict[str, Any], shapes: dict[str, Any], said: str
) -> None:
    checkpoint = open_checkpoint(foreign(tmp_path / "x.gguf", changes, shapes))
    with pytest.raises(CheckpointError) as told:
        gguf_tensors(checkpoint)
    assert said in str(told.value)


def test_an_expert_that_is_missing_is_named(tmp_path: Path) -> None:
    parent = make_architecture(tmp_path / "m", "mixtral")
    config = read_json(parent / "config.json")
    write_json(parent / "config.json", {**config, "num_local_experts": 7})
    with pytest.raises(CheckpointError, match=r"block_sparse_moe.experts.6.w1.weight"):
        quantize(parent, tmp_path / "q")
