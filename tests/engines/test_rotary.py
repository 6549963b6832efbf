"""Rotary frequencies: what a GGUF says of them is what transformers computes from the config."""

from typing import Any

import numpy as np
import pytest
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from lineal.engines.gguf.rotary import Rotary, rotary_faults, rotary_of

SIZES = {"hidden_size": 256, "num_attention_heads": 2}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def frequencies(rotary: Rotary, head_size: int) -> Any:
    """Of each pair, in float64, as llama.cpp uses the keys and the tensor."""
    plain = rotary.base ** (-np.arange(0, head_size, 2) / head_size) / rotary.factor
    return plain / np.array(rotary.divisors or (1.0,))


@pytest.mark.parametrize("base", [500000.0, 10000.0, 777.0])
@pytest.mark.parametrize("head_size", [128, 64, 80])
@pytest.mark.parametrize("changes", [{}, {"factor": 32.0}, {"low_freq_factor": 2, "high_freq_factor": 3}])
def test_llama3_is_what_transformers_computes(base: float, head_size: int, changes: dict[str, Any]) -> None:
    scaling = {**LLAMA3, **changes, "rope_theta": base}
    found = frequencies(rotary_of({"rope_parameters": scaling}, head_size), head_size)
    config = LlamaConfig(**SIZES, head_dim=head_size, rope_parameters=scaling)
    expected, factor = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    assert factor == 1.0
    np.testing.assert_allclose(found, expected.double().numpy(), rtol=2e-6)


def test_linear_is_what_transformers_computes() -> None:
    scaling = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
    config = LlamaConfig(**SIZES, rope_parameters=scaling)
    expected, _ = ROPE_INIT_FUNCTIONS["linear"](config, "cpu")
    np.testing.assert_allclose(
        frequencies(rotary_of({"rope_parameters": scaling}, 128), 128), expected.double().numpy(), rtol=2e-6
    )


def test_divisors_go_from_one_to_the_factor() -> None:
    divisors = rotary_of({"rope_theta": 500000.0, "rope_scaling": LLAMA3}, 128).divisors
    assert len(divisors) == 64
    assert divisors[0] == 1.0
    assert divisors[-1] == 8.0
    assert list(divisors) == sorted(divisors)


@pytest.mark.parametrize(
    "config",
    [
        {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2}},
        {"rope_theta": 5e5, "rope_scaling": {"rope_type": "linear", "factor": 2}},
        {"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 2}},
        {"rope_theta": 5e5, "rope_parameters": {"rope_type": "linear", "factor": 2}},
    ],
)
def test_every_way_to_write_a_scaling_is_read(config: dict[str, Any]) -> None:
    assert list(rotary_faults(config)) == []
    assert rotary_of(config, 128) == Rotary(5e5, factor=2.0)


@pytest.mark.parametrize("config", [{}, {"rope_scaling": None}, {"rope_parameters": {"rope_type": "default"}}])
def test_without_a_word_it_is_the_default(config: dict[str, Any]) -> None:
    assert list(rotary_faults(config)) == []
    assert rotary_of(config, 128) == Rotary(10000.0)
