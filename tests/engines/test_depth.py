"""Cutting a model's depth by names and configuration alone."""

import pytest

from lineal.engines.depth import block_count, shallower_config, shallower_names, stacked_config
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
    config = {"num_hidden_layers": 3, "layer_types": ["a", "b", "c"], "rope_layers": [1, 2], "eos_token_id": [1, 2, 3]}
    assert shallower_config(config, (0, 2), "m") == {
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
    assert shallower_config({"n_layer": 3}, (0, 2), "m") == {"n_layer": 2}


def test_a_stack_of_two_models_takes_each_entry_from_where_the_block_is_from():
    first = {"num_hidden_layers": 2, "layer_types": ["a", "b"]}
    second = {"num_hidden_layers": 3, "layer_types": ["c", "d", "e"]}
    stacked = stacked_config(first, [(first, (0, 1)), (second, (1, 2))], "m")
    assert stacked == {"num_hidden_layers": 4, "layer_types": ["a", "b", "d", "e"]}


def test_a_stack_of_models_of_which_one_says_nothing_of_its_blocks_is_refused():
    first = {"num_hidden_layers": 2, "layer_types": ["a", "b"]}
    with pytest.raises(MethodError, match="m: layer_types has an entry for each block in one"):
        stacked_config(first, [(first, (0,)), ({"num_hidden_layers": 2}, (1,))], "m")
