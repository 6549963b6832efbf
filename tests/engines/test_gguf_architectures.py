"""Every architecture goes into a GGUF and comes back: the same numbers, the same weights, the same logits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants
from safetensors.torch import load_file
from transformers import CONFIG_MAPPING, AutoConfig

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.gguf.architectures import ARCHITECTURES
from lineal.engines.gguf.parent import gguf_config
from lineal.engines.gguf.rotary import rotary_of
from lineal.engines.gguf.row import Architecture
from lineal.engines.inference.language_model import load_model
from tests.engines.architectures import MODELS, make_architecture
from tests.engines.quantizations import quantize, weights

IDS = torch.arange(5, 45)[None]
every_model = pytest.mark.parametrize("name", MODELS)
every_row = pytest.mark.parametrize("row", ARCHITECTURES, ids=lambda row: row.model_type)


def logits(place: Path) -> torch.Tensor:
    with torch.inference_mode():
        return load_model(place)(IDS).logits


@every_model
def test_logits_of_an_f32_gguf_are_its_parent_s(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    expected, found = logits(parent), logits(quantize(parent, tmp_path / "q"))
    assert 1 < expected.std() < 10
    assert torch.equal(found, expected)


def as_stored(name: str, values: Any, scheme: str, row: Architecture) -> Any:
    """What is left of a tensor's values, in float32, by the gguf library's own encoders and decoders."""
    if name.endswith("norm.weight") and row.raised:
        return (values + np.float32(1)) - np.float32(1)
    if values.ndim == 1 or name.endswith((".gate.weight", "shared_expert_gate.weight")):
        return values
    kind = GGMLQuantizationType[scheme.upper()]
    return quants.dequantize(quants.quantize(values, kind), kind)


@every_model
@pytest.mark.parametrize("scheme", ["f32", "f16", "q8_0"])
def test_weights_come_back_as_they_are_stored(tmp_path: Path, name: str, scheme: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    stored = {key: tensor.numpy() for key, tensor in load_file(parent / "model.safetensors").items()}
    found = weights(quantize(parent, tmp_path / "q", scheme))
    row = next(row for row in ARCHITECTURES if row.model_type == MODELS[name]["model_type"])
    assert found.keys() == stored.keys()
    for key, values in stored.items():
        assert np.array_equal(found[key], as_stored(key, values, scheme, row)), key


_BESIDE = {
    **dict.fromkeys(("architectures", "dtype", "transformers_version", "_name_or_path", "bos_token_id")),
    **dict.fromkeys(("max_window_layers", "use_cache", "_attn_implementation_internal", "pad_token_id")),
}
"""What a config says that is no part of what is computed, or of blocks that there are not."""


def meant(config: Any) -> dict[str, Any]:
    """A config as transformers understands it, numbers as float32."""
    found = {key: value for key, value in config.to_dict().items() if key not in _BESIDE}
    found["rms_norm_eps"] = float(np.float32(found["rms_norm_eps"]))
    found["head_dim"] = found.get("head_dim") or found["hidden_size"] // found["num_attention_heads"]
    if "sliding_attention" not in found.get("layer_types", ["sliding_attention"]):
        found["sliding_window"] = None
    if found["model_type"] == "mistral":  # a GGUF of either is called llama
        found = {**found, "model_type": "llama", "mlp_bias": False, "attention_bias": False, "pretraining_tp": 1}
        del found["sliding_window"]
    return found


@every_model
def test_the_config_comes_back_as_it_was_meant(tmp_path: Path, name: str) -> None:
    parent = make_architecture(tmp_path / "m", name)
    found = meant(AutoConfig.for_model(**gguf_config(open_checkpoint(quantize(parent, tmp_path / "q")))))
    expected = meant(AutoConfig.from_pretrained(str(parent)))
    rope = expected["rope_parameters"]
    if rope.get("rope_type") == "longrope":  # what transformers works out from the lengths is written out
        rotary = rotary_of(expected, 16, _row("phi3").rotary, expected["max_position_embeddings"])
        assert rotary.long is not None
        rope = {key: value for key, value in rope.items() if key != "factor"}
        expected["rope_parameters"] = {**rope, "attention_factor": float(np.float32(rotary.long.attention))}
    assert found == expected


def _row(model_type: str) -> Architecture:
    return next(row for row in ARCHITECTURES if row.model_type == model_type)


@every_row
def test_what_a_silent_config_means_is_what_transformers_says(row: Architecture) -> None:
    config = CONFIG_MAPPING[row.model_type]()
    said = {key: value for key, value in row.defaults.items() if key != "sliding_window"}
    silent = {key for key in said if getattr(config, key, None) is None}
    assert silent <= {"use_bidirectional_attention"}  # None there, which is false
    assert {key: getattr(config, key) for key in said.keys() - silent} == {
        key: value for key, value in said.items() if key not in silent
    }
    numbers = {key.config[0] for key in row.keys}
    optional = {key.config[0] for key in row.keys if key.optional} | {"num_key_value_heads", "head_dim"}
    assert numbers <= row.defaults.keys() | optional
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    assert rotary_of({}, 64, row.rotary).base == rope["rope_theta"]
