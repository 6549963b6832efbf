"""The table of blocks against transformers' own configuration classes, which expand what a file leaves out."""

from collections.abc import Iterator
from typing import Any

import pytest
from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from lineal.engines.architecture.block_table import TRAITS
from lineal.engines.architecture.depth import shallower_config, stacked_config

BLOCKS = 13
KEPT = (0, 2, 3, 5, 8, 12)
LISTED = {name: traits for name, traits in TRAITS.items() if any(trait.key for trait in traits)}
POSITIONAL: dict[str, tuple[dict[str, Any], ...]] = {
    "afmoe": ({"global_attn_every_n_layers": 3},),
    "cohere2": ({"sliding_window_pattern": 3},),
    "cohere2_moe": ({"first_k_dense_replace": 2, "prefix_dense_sliding_window_pattern": 2},),
    "dots1": ({"max_window_layers": 4, "sliding_window": 8}, {"max_window_layers": 4, "sliding_window": None}),
    "exaone4": ({"sliding_window_pattern": 3},),
    "exaone_moe": ({"first_k_dense_replace": 3},),
    "gemma3_text": ({"sliding_window_pattern": 3},),
    "lfm2": ({"full_attn_idxs": [2, 5, 12]},),
    "llama4_text": (
        {"no_rope_layer_interval": 3, "interleave_moe_layer_step": 2},
        {"no_rope_layers": [], "moe_layers": [1, 5, 8]},
    ),
    "ministral": ({"sliding_window": None},),
    "modernbert-decoder": ({"global_attn_every_n_layers": 4},),
    "qwen2": ({"use_sliding_window": True, "max_window_layers": 5}, {"max_window_layers": 5}),
    "qwen2_moe": ({"use_sliding_window": True, "max_window_layers": 5, "decoder_sparse_step": 2},),
    "qwen3": ({"use_sliding_window": True, "max_window_layers": 5},),
    "qwen3_5_text": ({"full_attention_interval": 3},),
    "qwen3_next": ({"full_attention_interval": 3, "mlp_only_layers": [2, 3]},),
    "smollm3": ({"no_rope_layer_interval": 3, "use_sliding_window": True, "sliding_window": 8},),
}
"""Keys that a file may leave blocks to; every architecture is tried without any, too."""

NO_DEFAULT = {"lfm2_moe"}
"""Architectures whose list a file always has."""


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in LISTED:
        for given in (*(() if name in NO_DEFAULT else ({},)), *POSITIONAL.get(name, ())):
            yield name, {"model_type": name, "num_hidden_layers": BLOCKS, **given}


def opened(config: dict[str, Any]) -> PreTrainedConfig:
    """As transformers reads a file."""
    return CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))


def lists(config: PreTrainedConfig) -> dict[str, list[Any]]:
    kinds = {trait.key: getattr(config, trait.key) for trait in TRAITS[config.model_type] if trait.key}
    blocks = config.num_hidden_layers  # some keys stand for a number that all of them share
    return {key: value if isinstance(value, list) else [value] * blocks for key, value in kinds.items()}


@pytest.mark.parametrize(("name", "config"), list(cases()))
def test_transformers_reads_of_a_cut_what_the_kept_blocks_were(name: str, config: dict[str, Any]) -> None:
    if name == "minimax":  # whose decay follows the place
        return
    kept = KEPT if name != "modernbert-decoder" else (0, *KEPT[1:])
    whole, cut = lists(opened(config)), lists(opened(shallower_config(config, kept, "m")))
    assert cut == {key: [kinds[block] for block in kept] for key, kinds in whole.items()}


@pytest.mark.parametrize(("name", "config"), list(cases()))
def test_the_table_expands_a_file_as_transformers_does(name: str, config: dict[str, Any]) -> None:
    of_class = lists(opened(config))
    ours = {trait.key: trait.of(config, BLOCKS) for trait in TRAITS[name] if trait.key}
    assert ours == of_class


def test_a_written_list_wins_over_keys_that_leave_it_to_the_place() -> None:
    kinds = ["full_attention", "sliding_attention", "sliding_attention"]
    for name, given in (
        ("gemma3_text", {"sliding_window_pattern": 2}),
        ("cohere2", {"sliding_window_pattern": 2}),
        ("qwen2", {"use_sliding_window": True, "max_window_layers": 1}),
    ):
        config = opened({"model_type": name, "num_hidden_layers": 3, "layer_types": kinds, **given})
        assert config.layer_types == kinds


def test_blocks_in_another_order_are_read_in_that_order() -> None:
    config = {"model_type": "gemma2", "num_hidden_layers": 4}
    stacked = stacked_config(config, [(config, (2, 3)), (config, (1, 2)), (config, (3,))], "m")
    whole = opened(config).layer_types
    assert opened(stacked).layer_types == [whole[block] for block in (2, 3, 1, 2, 3)]
