"""Calibrated methods on parents that are not folders of full weights as they are published: adapters, fused layouts."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import lineal
from tests.engines.architectures import make_architecture
from tests.engines.tiny_models import make_model, write_data

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT of transformers 5

WAYS: list[dict[str, Any]] = [
    {"method": "gptq", "scheme": "w4a16", "group_size": 32},
    {"method": "awq", "scheme": "w4a16", "group_size": 32},
    {"method": "smoothquant", "scheme": "w8a8"},
]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_data(tmp_path / "text.jsonl", count=300)


def adapted(folder: Path, base: Path) -> Path:
    """A LoRA whose product is no small change."""
    torch.manual_seed(1)
    network: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(network, config).save_pretrained(folder)
    return folder


def weights(child: Path) -> dict[str, torch.Tensor]:
    return load_file(child / "model.safetensors")


def quantized(parent: Any, out: Path, text: Path, **options: Any) -> Path:
    lineal.quantize(parent, out=out, registry=out.parent / "r.db", data=[text], samples=48, context=32, **options)
    return out


@pytest.mark.parametrize("options", WAYS, ids=lambda one: one["method"])
def test_an_adapter_is_walked_as_the_model_that_it_makes(tmp_path: Path, text: Path, options: dict[str, Any]) -> None:
    base = make_model(tmp_path / "base", hidden_size=64, intermediate_size=128)
    adapter = adapted(tmp_path / "adapter", base)
    registry = tmp_path / "r.db"
    lineal.merge([adapter], base=base, method="passthrough", out=tmp_path / "merged", registry=registry)
    expected = weights(quantized(tmp_path / "merged", tmp_path / "expected", text, **options))
    found = weights(quantized(adapter, tmp_path / "child", text, base=base, **options))
    of_base = weights(quantized(base, tmp_path / "of-base", text, **options))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert any(not torch.equal(found[name], of_base[name]) for name in of_base)


@pytest.mark.parametrize("options", WAYS, ids=lambda one: one["method"])
def test_fused_experts_are_walked_as_those_that_stand_alone(
    tmp_path: Path, text: Path, options: dict[str, Any]
) -> None:
    parent, registry = make_architecture(tmp_path / "mixture", "mixtral"), tmp_path / "r.db"
    lineal.merge([parent], method="passthrough", layout="fused", out=tmp_path / "fused", registry=registry)
    assert any(name.endswith("experts.gate_up_proj") for name in weights(tmp_path / "fused"))
    children = [quantized(one, tmp_path / f"of-{one.name}", text, **options) for one in (parent, tmp_path / "fused")]
    full: list[dict[str, torch.Tensor]] = []
    for child in children:
        out = tmp_path / f"{child.name}-full"
        lineal.merge([child], method="passthrough", out=out, registry=registry)
        full.append(weights(out))
    assert full[0].keys() == full[1].keys()
    assert all(torch.equal(full[0][name], full[1][name]) for name in full[0])
