"""Cutting a model's depth by names and configuration alone."""

from typing import Any

import pytest

from lineal.engines.architecture.depth import (
    block_count,
    check_blocks,
    rules_of_stack,
    shallower_config,
    shallower_names,
    stacked_config,
)
from lineal.errors import MethodError

NAMES = [
    "model.embed_tokens.weight",
    *(f"model.layers.{i}.mlp.experts.7.up.weight" for i in range(12)),
    "lm_head.weight",
]


def test_kept_blocks_are_numbered_anew_and_everything_outside_blocks_stays():
    assert shallower_names(NAMES, (0, 3, 11), "m") == {
        "model.embed_tokens.weight": "model.embed_tokens.weight",
        "model.layers.0.mlp.experts.7.up.weight": "model.layers.0.mlp.experts.7.up.weight",
        "model.layers.3.mlp.experts.7.up.weight": "model.layers.1.mlp.experts.7.up.weight",
        "model.layers.11.mlp.experts.7.up.weight": "model.layers.2.mlp.experts.7.up.weight",
        "lm_head.weight": "lm_head.weight",
    }


def test_names_that_show_no_blocks_cannot_be_cut():
    with pytest.raises(MethodError, match="m: no tensors of the block 0"):
        shallower_names(["encoder.stage_0.weight"], (0,), "m")


def test_lists_with_an_entry_a_block_are_cut_with_them():
    config = {
        "model_type": "llama",
        "num_hidden_layers": 3,
        "layer_types": ["a", "b", "c"],
        "rope_layers": [1, 2],
        "eos_token_id": [1, 2, 3],
    }
    assert shallower_config(config, (0, 2), "m") == {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "layer_types": ["a", "c"],
        "rope_layers": [1, 2],
        "eos_token_id": [1, 2, 3],
    }


def test_a_configuration_without_a_count_of_blocks_is_refused():
    with pytest.raises(MethodError, match="m: num_hidden_layers is None"):
        block_count({"depth": 3}, "m")


def test_the_count_of_blocks_has_the_name_that_the_architecture_gives_it():
    assert block_count({"n_layer": 3}, "m") == 3
    gpt2 = {"model_type": "gpt2", "n_layer": 3}
    assert shallower_config(gpt2, (0, 2), "m") == {**gpt2, "n_layer": 2}
    mpt = {"model_type": "mpt", "n_layers": 3}
    assert shallower_config(mpt, (0, 2), "m") == {**mpt, "n_layers": 2}


def gemma3(**changes: Any) -> dict[str, Any]:
    return {"model_type": "gemma3_text", "num_hidden_layers": 6, **changes}


def qwen3_moe(**changes: Any) -> dict[str, Any]:
    return {"model_type": "qwen3_moe", "num_hidden_layers": 4, "num_experts": 4, **changes}


def test_a_stack_of_two_models_takes_each_entry_from_where_the_block_is_from() -> None:
    first = gemma3(num_hidden_layers=2, layer_types=["a", "b"])
    second = gemma3(num_hidden_layers=3, layer_types=["c", "d", "e"])
    stacked = stacked_config(first, [(first, (0, 1)), (second, (1, 2))], "m")
    assert stacked == gemma3(num_hidden_layers=4, layer_types=["a", "b", "d", "e"])


def test_a_stack_of_models_of_which_one_says_nothing_of_its_blocks_is_refused() -> None:
    first = {"model_type": "llama", "num_hidden_layers": 2, "layer_types": ["a", "b"]}
    second = {"model_type": "llama", "num_hidden_layers": 2}
    with pytest.raises(MethodError, match="m: layer_types has an entry for each block in one"):
        stacked_config(first, [(first, (0,)), (second, (1,))], "m")


def test_what_a_configuration_leaves_to_the_place_is_written_out() -> None:
    cut = shallower_config(gemma3(sliding_window_pattern=3), (0, 2, 4, 5), "m")
    kinds = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
    assert cut == gemma3(num_hidden_layers=4, layer_types=kinds)


def test_a_model_that_lists_its_blocks_and_one_that_does_not_can_be_stacked() -> None:
    listed = gemma3(layer_types=["sliding_attention"] * 6)
    stacked = stacked_config(gemma3(), [(listed, (1, 2)), (gemma3(), (4, 5))], "m")
    assert stacked["layer_types"] == ["sliding_attention"] * 3 + ["full_attention"]


def test_lists_of_block_numbers_are_those_of_the_child() -> None:
    assert shallower_config(qwen3_moe(mlp_only_layers=[1, 3]), (0, 2, 3), "m")["mlp_only_layers"] == [2]
    sparse_second = shallower_config(qwen3_moe(decoder_sparse_step=2), (0, 2, 3), "m")
    assert (sparse_second["mlp_only_layers"], sparse_second["decoder_sparse_step"]) == ([0, 1], 1)


def test_one_number_says_where_mixtures_begin_or_the_cut_is_refused() -> None:
    deepseek = {"model_type": "deepseek_v3", "num_hidden_layers": 4, "first_k_dense_replace": 2}
    assert shallower_config(deepseek, (1, 2, 3), "m")["first_k_dense_replace"] == 1
    with pytest.raises(
        MethodError, match=r"m: which blocks are mixtures of experts .* cannot say it of the blocks 0, 2, 1 in"
    ):
        stacked_config(deepseek, [(deepseek, (0, 2)), (deepseek, (1,))], "m")


@pytest.mark.parametrize(
    ("config", "kept", "what"),
    [
        ({"model_type": "gpt2", "n_layer": 3, "scale_attn_by_inverse_layer_idx": True}, (0, 2), "scale of attention"),
        ({"model_type": "diffllama", "num_hidden_layers": 3}, (0, 2), "the start of lambda"),
        ({"model_type": "rwkv", "num_hidden_layers": 3}, (1, 2), "what the first block alone has or lacks"),
        ({"model_type": "gpt_neox_japanese", "num_hidden_layers": 3}, (0, 1), "what the last block alone has"),
        ({"model_type": "minicpm3", "num_hidden_layers": 3}, (0, 1), "the weight of each block"),
        ({"model_type": "minimax", "num_hidden_layers": 4}, (0, 1), "the decay of linear attention"),
        ({"model_type": "jamba", "num_hidden_layers": 8}, (0, 4), "the kind of attention"),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)
def test_what_no_key_can_say_is_refused(config: dict[str, Any], kept: tuple[int, ...], what: str) -> None:
    with pytest.raises(MethodError, match=what):
        shallower_config(config, kept, "m")


def test_the_first_blocks_of_a_model_that_scales_by_place_can_be_kept() -> None:
    config = {"model_type": "gpt2", "n_layer": 3, "scale_attn_by_inverse_layer_idx": True}
    assert shallower_config(config, (0, 1), "m") == {**config, "n_layer": 2}


def test_blocks_of_an_unknown_architecture_stay_where_they_are() -> None:
    config = {"model_type": "novel", "num_hidden_layers": 3, "attention_interval": 2}
    assert shallower_config(config, (0, 1, 2), "m") == config
    with pytest.raises(MethodError, match="m: how the blocks of a model of type 'novel' depend on their place is not"):
        shallower_config(config, (0, 1), "m")


def test_blocks_of_two_architectures_make_no_model() -> None:
    two = {"model_type": "gemma2", "num_hidden_layers": 6}
    with pytest.raises(MethodError, match="m: blocks of a gemma3_text and of a gemma2 make no model together"):
        stacked_config(gemma3(), [(gemma3(), (0,)), (two, (1,))], "m")


def test_a_list_that_is_too_short_for_its_blocks_is_refused() -> None:
    with pytest.raises(MethodError, match="m: its configuration tells the kind of attention of 2 blocks, and it has 6"):
        shallower_config(gemma3(layer_types=["a", "b"]), (0, 1), "m")


def test_a_pattern_that_is_no_number_is_refused() -> None:
    exaone = {"model_type": "exaone4", "num_hidden_layers": 4, "sliding_window_pattern": "LLLG"}
    with pytest.raises(MethodError, match="m: its configuration does not tell the kind of attention"):
        shallower_config(exaone, (0, 1), "m")


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        ({"model_type": "llama", "num_hidden_layers": 4}, 1),
        ({"model_type": "gemma2", "num_hidden_layers": 4, "layer_types": ["a", "b", "a", "b"]}, 1),
        ({"model_type": "qwen2", "num_hidden_layers": 4, "max_window_layers": 2}, 1),
        (qwen3_moe(mlp_only_layers=[]), 1),
        ({"model_type": "gemma2", "num_hidden_layers": 4}, 2),
        ({"model_type": "qwen2", "num_hidden_layers": 4, "max_window_layers": 2, "use_sliding_window": True}, 2),
        (qwen3_moe(mlp_only_layers=[3]), 2),
    ],
)
def test_rules_are_other_ones_only_where_the_lists_alone_said_too_little(config: dict[str, Any], rules: int) -> None:
    assert rules_of_stack(config, [(config, (0, 2, 3))], "m") == rules


def test_blocks_that_are_alike_by_the_configuration_must_hold_alike_tensors() -> None:
    shapes = {f"model.layers.{i}.mlp.up_proj.weight": (8, 4) for i in (0, 2, 3)}
    shapes |= {f"model.layers.1.mlp.{name}.weight": (4, 4) for name in ("gate", "experts.0.up_proj")}
    check_blocks(qwen3_moe(mlp_only_layers=[0, 2, 3]), shapes, "m")
    with pytest.raises(MethodError, match=r"m: .* blocks 0 and 1 are alike, but 'model.layers..mlp.exp.*' is none and"):
        check_blocks(qwen3_moe(mlp_only_layers=[0, 1, 2, 3]), shapes, "m")
