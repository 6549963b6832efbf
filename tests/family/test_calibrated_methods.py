"""GPTQ, AWQ, SmoothQuant and static scales from a model and a text to a folder that transformers computes with."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import lineal
from lineal.errors import MethodError
from tests.engines.tiny_models import make_model, tokenizer, write_data

OPTIONS: dict[str, Any] = {"samples": 24, "context": 32}
WIDE = {"hidden_size": 64, "intermediate_size": 128}

WAYS: dict[str, dict[str, Any]] = {
    "gptq": {"method": "gptq", "scheme": "w4a16", "group_size": 32},
    "gptq, columns in order": {"method": "gptq", "scheme": "w3a16", "group_size": 32, "act_order": False},
    "gptq, zero points": {"method": "gptq", "scheme": "w4a16", "group_size": "channel", "symmetric": False},
    "gptq, int8": {"method": "gptq", "scheme": "w8a8"},
    "awq": {"method": "awq", "scheme": "w4a16", "group_size": 32},
    "awq, zero points": {"method": "awq", "scheme": "w3a16", "group_size": 64, "symmetric": False},
    "smoothquant": {"method": "smoothquant", "scheme": "w8a8"},
    "static fp8": {"method": "static", "scheme": "fp8"},
    "static int8": {"scheme": "w8a8_static", "observer": "mse"},
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model", **WIDE)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_data(tmp_path / "text.jsonl", count=300)


def quantized(model: Path, out: str, text: Path | None = None, **options: Any) -> Path:
    given: dict[str, Any] = options if text is None else {"data": [text], **OPTIONS, **options}
    lineal.quantize(model, out=model.parent / out, registry=model.parent / "registry.db", **given)
    return model.parent / out


def decoded(folder: Path, to: str) -> dict[str, Any]:
    """All weights in full, as lineal reads the codes."""
    full = folder.parent / to
    lineal.merge([folder], method="passthrough", out=full, registry=folder.parent / "registry.db")
    return load_file(full / "model.safetensors")


def log_probabilities(folder: Path) -> Any:
    words = tokenizer()(
        "every step keeps the names of its parents and a model is derived from another", return_tensors="pt"
    )
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        return torch.log_softmax(network(words.input_ids[:, :32]).logits.double(), -1)


def divergence(parent: Path, full: Path) -> float:
    p, q = log_probabilities(parent), log_probabilities(full)
    return float((p.exp() * (p - q)).sum(-1).mean())


@pytest.mark.parametrize("way", WAYS)
def test_the_child_computes_nearly_what_its_parent_does(model: Path, text: Path, way: str) -> None:
    child = quantized(model, "child", text, **WAYS[way])
    decoded(child, "full")
    assert 0 < divergence(model, model.parent / "full") < (0.25 if "8" in WAYS[way]["scheme"] else 1.5)


def test_gptq_is_nearer_to_the_parent_than_rounding_to_nearest(model: Path, text: Path) -> None:
    plain = {"scheme": "w3a16", "group_size": 32}
    found: list[float] = []
    for name, options in (("rtn", {}), ("gptq", {"text": text, "method": "gptq"})):
        decoded(quantized(model, name, **plain, **options), f"{name}-full")
        found.append(divergence(model, model.parent / f"{name}-full"))
    assert found[1] < 0.6 * found[0]


def test_layers_that_are_ignored_stay_as_they_are(model: Path, text: Path) -> None:
    before = load_file(model / "model.safetensors")
    for method in ("gptq", "awq"):
        child = quantized(model, method, text, **WAYS[method], ignore=["re:.*k_proj", "re:.*o_proj"])
        stored = load_file(child / "model.safetensors")
        assert "model.layers.1.self_attn.q_proj.weight_packed" in stored
        name = "model.layers.1.self_attn.k_proj.weight"
        assert torch.equal(stored[name], before[name]) == (
            method == "gptq"
        )  # awq scales its columns, as its input is divided


@pytest.mark.parametrize("scheme", ["fp8", "w8a8_static"])
def test_layers_that_share_their_inputs_have_one_scale_for_them(model: Path, text: Path, scheme: str) -> None:
    stored = load_file(quantized(model, "child", text, scheme=scheme) / "model.safetensors")
    scales = [stored[f"model.layers.0.self_attn.{one}_proj.input_scale"] for one in "qkv"]
    assert scales[0].shape == (1,)
    assert scales[0] > 0
    assert torch.equal(scales[0], scales[1])
    assert torch.equal(scales[0], scales[2])


def test_smoothing_makes_the_largest_inputs_and_weights_alike(model: Path, text: Path) -> None:
    before = load_file(model / "model.safetensors")["model.layers.0.input_layernorm.weight"]
    child = load_file(quantized(model, "child", text, method="smoothquant") / "model.safetensors")
    after = child["model.layers.0.input_layernorm.weight"]
    divisors = (before / after).numpy()
    assert np.ptp(np.log(divisors)) > 0.1
    full = decoded(model.parent / "child", "full")
    parent = load_file(model / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    assert np.allclose(full[name].numpy() / divisors, parent[name].numpy(), atol=0.01 * float(parent[name].abs().max()))


def test_the_damping_is_recorded(model: Path, text: Path) -> None:
    recorded = (quantized(model, "child", text, **WAYS["gptq"], damping=0.05) / "lineal.json").read_text()
    assert re.search(r'"damping":\s*0\.05\b', recorded)


def test_a_text_that_says_too_little_for_the_damping_is_an_error_that_names_the_layer(model: Path, text: Path) -> None:
    with pytest.raises(
        MethodError, match=r"layers\.0\..*second moment is singular with a damping of 0: take more samples"
    ):
        quantized(model, "child", text, **{**WAYS["gptq"], "damping": 0.0, "samples": 1})
    assert not (model.parent / "child").exists()
