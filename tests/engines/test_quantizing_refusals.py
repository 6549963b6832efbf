"""What cannot be written as a GGUF is told in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.errors import CheckpointError
from tests.builders import make_checkpoint, read_folder, write_json
from tests.engines.quantizations import LLAMA3, Q, plan, quantize
from tests.llamas import CONFIG, added, byte_level_bpe, make_llama


def refusal(parent: Path, scheme: str = "f16") -> str:
    with pytest.raises(CheckpointError) as told:
        plan(parent, scheme)
    said = str(told.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "mamba"}, "model_type is 'mamba'; those that can be written: llama, mistral, "),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; llama.cpp's llama has 'silu'"),
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"),
        ({"head_dim": 15}, "heads have 15 rows; rotary embeddings need an even number"),
        (
            {"num_attention_heads": 6, "num_key_value_heads": 6},
            "hidden_size 64 is not a multiple of num_attention_heads 6",
        ),
        ({"num_hidden_layers": "two"}, "num_hidden_layers must be a positive integer, got 'two'"),
        ({"rms_norm_eps": 0}, "rms_norm_eps must be in (0, 1), got 0"),
        (
            {"rope_scaling": {"rope_type": "yarn", "factor": 4}},
            "rope_scaling 'yarn' is not supported (supported: default,",
        ),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling 'linear' needs a positive factor, got None"),
        ({"rope_parameters": {**LLAMA3, "factor": -1}}, "rope_scaling 'llama3' needs a positive factor, got -1"),
        (
            {"rope_parameters": {**LLAMA3, "low_freq_factor": 4.0}},
            "a low_freq_factor and a high_freq_factor that differ",
        ),
        (
            {"rope_parameters": {"partial_rotary_factor": 0.5}},
            "partial_rotary_factor is 0.5; llama.cpp's llama turns whole heads",
        ),
    ],
)
def test_a_config_that_a_gguf_cannot_hold_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    parent = make_llama(tmp_path / "m")
    write_json(parent / "config.json", {**CONFIG, **changes})
    told = refusal(parent)
    assert told.startswith("m cannot be written as a GGUF: ")
    assert said in told


def test_tensors_that_do_not_fit_the_config_are_all_told_at_once(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    tensors = read_folder(parent)
    del tensors["model.norm.weight"]
    tensors["model.layers.0.mlp.experts.weight"] = np.ones((2, 2), np.float32)
    tensors["lm_head.weight"] = np.ones((272, 32), np.float32)
    tensors[f"{Q}.weight"] = np.ones((64, 64), np.int8)
    make_checkpoint(parent, tensors, CONFIG)
    assert refusal(parent) == (
        "m cannot be written as a GGUF: has no 'model.norm.weight'; "
        "'model.layers.0.mlp.experts.weight' is not a tensor of a model with this config; "
        "'lm_head.weight' is [272, 32], its config says [272, 64]; "
        f"'{Q}.weight' is I8, which has no values to round"
    )


def test_many_faults_are_counted_not_listed(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    make_checkpoint(parent, {"model.norm.weight": np.ones(64, np.float32)}, CONFIG)
    assert refusal(parent).endswith("; and 8 more")


def test_a_value_too_large_for_the_type_is_refused(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    tensors = read_folder(parent)
    tensors["lm_head.weight"] = np.full((272, 64), 1e5, np.float32)
    make_checkpoint(parent, tensors, CONFIG)
    with pytest.raises(CheckpointError, match=r"output\.weight"):
        quantize(parent, tmp_path / "q", "f16")


def tokenizer_with(**changes: Any) -> dict[str, Any]:
    return {**byte_level_bpe(), **changes}


@pytest.mark.parametrize(
    ("tokenizer", "said"),
    [
        (
            {"model": {"type": "Unigram", "vocab": []}},
            "a 'Unigram' tokenizer; what can be written is BPE",
        ),
        (byte_level_bpe(byte_fallback=True), "before it merges it does 'ByteLevel', which llama.cpp does not know"),
        (
            {"decoder": {"type": "Metaspace"}},
            "a 'BPE' tokenizer; what can be written is BPE, byte-level or with",
        ),
        (
            {"pre_tokenizer": {"type": "Whitespace"}},
            "its pre-tokenizer, 'Whitespace' without ignore_merges, is none of those that llama.cpp and lineal both",
        ),
        (
            {"pre_tokenizer": None},
            "its pre-tokenizer, 'none' without ignore_merges, is none of those that llama.cpp and lineal both",
        ),
        (byte_level_bpe(ignore_merges=True), "its pre-tokenizer, 'ByteLevel' with ignore_merges, is none of those"),
        ({"normalizer": {"type": "NFKC"}}, "its normalizer NFKC has no place in a GGUF"),
        (byte_level_bpe(end_of_word_suffix="</w>"), "end_of_word_suffix '</w>' has no place in a GGUF"),
        (byte_level_bpe(merges=["a b c"]), "a merge with spaces in its halves, which a GGUF cannot hold"),
        ({"added_tokens": [added(0, "<|endoftext|>", lstrip=True)]}, "'<|endoftext|>' minds the characters beside it"),
        ({"added_tokens": [added(272, "<|late|>")]}, "has token 272, the embedding 272 rows"),
        ({"added_tokens": [added(271, "[PAD270]")]}, "one of its tokens is spelled like an unused row, [PADn]"),
        ({"added_tokens": [added(5, "<|again|>")]}, "two of its tokens have one id"),
        (
            {"post_processor": {"type": "RobertaProcessing"}},
            "its post-processor does more than to put one token before",
        ),
    ],
)
def test_a_tokenizer_that_llama_cpp_would_not_follow_is_refused(
    tmp_path: Path, tokenizer: dict[str, Any], said: str
) -> None:
    assert said in refusal(make_llama(tmp_path / "m", tokenizer=tokenizer))


def test_a_special_token_must_be_in_the_vocabulary(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m", bos_token_id=272)
    write_json(parent / "tokenizer_config.json", {"eos_token": {"content": "</s>"}, "pad_token": "<pad>"})
    said = refusal(parent)
    assert "the eos_token '</s>' is not in the vocabulary" in said
    assert "the pad_token '<pad>' is not in the vocabulary" in said
    assert "bos_token_id is 272, the embedding has 272 rows" in said


def test_an_end_of_text_is_needed(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    (parent / "tokenizer_config.json").unlink()
    assert "no eos_token in tokenizer_config.json or the config; llama.cpp would take token 11 for it" in refusal(
        parent
    )
    write_json(parent / "generation_config.json", {"eos_token_id": 0})
    assert plan(parent)


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    (parent / "tokenizer.json").unlink()
    assert "tokenizer.json: no such file" in refusal(parent)


@pytest.mark.parametrize(
    "broken", [{"pre_tokenizer": []}, {"added_tokens": [{}]}, {"model": {"type": "BPE", "vocab": {}}}]
)
def test_a_broken_tokenizer_is_one_line(tmp_path: Path, broken: dict[str, Any]) -> None:
    parent = make_llama(tmp_path / "m")
    content = {**byte_level_bpe(), **broken}
    (parent / "tokenizer.json").write_text(json.dumps(content))
    assert "tokenizer.json: " in refusal(parent)
