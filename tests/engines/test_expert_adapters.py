"""Adapters of experts make of a base what PEFT makes of it, in each way that they were ever written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers.utils import logging

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from tests.builders import read_folder
from tests.cli.conftest import Command, lineal, registry, run
from tests.engines.expert_adapters import (
    CONFIG,
    MATRICES,
    TOKENS,
    as_peft_0_18,
    furthest,
    load,
    make_by_peft,
    merged_by_lineal,
    merged_by_peft,
    save_bases,
    write_adapter,
    write_per_expert,
)
from tests.walk.tiny import tiny_model

__all__ = ("lineal", "registry", "run")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # PEFT on transformers 5.23
    pytest.mark.filterwarnings("ignore:.*pattern keys did not match:RuntimeWarning"),  # they do, and PEFT uses them
]

SMALL_PART = 1e-6
MIXTURES = ("ernie4_5_moe", "granitemoe", "jamba", "lfm2_moe", "mixtral", "nemotron_h", "phimoe", "qwen3_moe")
"""One of each kind of rules about experts."""
BOTH = {"target_modules": ["q_proj"], "target_parameters": ["experts.gate_up_proj", "experts.down_proj"]}


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.disable_progress_bar()


def compare(tmp_path: Path, model_type: str, bases: tuple[Path, Path], adapter: Path, ours: Path | None = None) -> None:
    """ours: where PEFT of today cannot read the adapter, the same one as it was."""
    expected, logits = merged_by_peft(bases[0], adapter)
    before, stored = load(bases[0]).state_dict(), []
    assert furthest(before, expected) > 1e-3
    for base in bases:
        folder = merged_by_lineal(base, ours or adapter, tmp_path / f"{base.name} merged")
        model = load(folder)
        assert furthest(dict(model.state_dict()), expected) < SMALL_PART
        with torch.no_grad():
            torch.testing.assert_close(model(TOKENS).logits, logits, rtol=0, atol=5e-6 * float(logits.abs().max()))
        stored.append({name: values.tobytes() for name, values in as_published(folder).items()})
    assert stored[0] == stored[1]


def as_published(folder: Path) -> dict[str, Any]:
    sources = full_model("merged", open_checkpoint(folder)).sources
    raw = (folder / "model.safetensors").read_bytes()
    found = {}
    for name, source in sources.items():
        assert source.turn is None
        found[name] = memoryview(raw)[source.spec.offset : source.spec.offset + source.spec.byte_length]
    return found


@pytest.mark.parametrize("model_type", MIXTURES)
def test_both_parameters_of_experts_and_linear_layers(tmp_path: Path, model_type: str) -> None:
    bases = save_bases(model_type, tmp_path)
    words = {name.rpartition(".")[2] for name, one in tiny_model(model_type).named_parameters() if "experts." in name}
    layers = ["o_proj"] if model_type == "deepseek_v2" else ["q_proj", "o_proj"]
    adapter = make_by_peft(
        bases[0],
        tmp_path / "adapter",
        target_modules=layers,
        target_parameters=sorted(word for word in words if word.endswith("_proj")),
    )
    compare(tmp_path, model_type, bases, adapter)


SETTINGS: dict[str, dict[str, Any]] = {
    "one parameter": {"target_modules": [], "target_parameters": ["mlp.experts.down_proj"]},
    "the other": {"target_modules": [], "target_parameters": ["gate_up_proj"]},
    "routers": {"target_modules": ["q_proj"], "target_parameters": ["mlp.gate.weight", "mlp.experts.down_proj"]},
    "as PEFT rewrites targets": {"target_modules": "all-linear"},
    "rank-stabilized": {**BOTH, "use_rslora": True},
    "rewritten and rank-stabilized": {"target_modules": "all-linear", "use_rslora": True},
    "patterns": {
        **BOTH,
        "target_parameters": ["mlp.gate.weight", *BOTH["target_parameters"]],
        "rank_pattern": {"experts.gate_up_proj": 3, "gate.weight": 1, "q_proj": 4},
        "alpha_pattern": {r"layers\.[02]\..*down_proj": 7, "gate.weight": 5, "mlp.experts": 100, "mlp.gate": 100},
    },
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral"])
def test_whatever_the_config_asks_of_experts(tmp_path: Path, model_type: str, settings: dict[str, Any]) -> None:
    bases = save_bases(model_type, tmp_path)
    compare(tmp_path, model_type, bases, make_by_peft(bases[1], tmp_path / "adapter", **settings))


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral", "granitemoe", "nemotron_h", "olmoe"])
def test_the_earlier_layout_of_peft(tmp_path: Path, model_type: str) -> None:
    bases = save_bases(model_type, tmp_path)
    words = ["up_proj" if model_type == "nemotron_h" else "gate_up_proj", "down_proj"]
    adapter = make_by_peft(bases[0], tmp_path / "adapter", target_modules=["o_proj"], target_parameters=words)
    compare(tmp_path, model_type, bases, adapter, as_peft_0_18(adapter, tmp_path / "earlier", experts=4))


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral", "olmoe"])
def test_layers_of_each_expert(tmp_path: Path, model_type: str) -> None:
    bases = save_bases(model_type, tmp_path)
    compare(tmp_path, model_type, bases, write_per_expert(bases[0], tmp_path / "adapter"))


@pytest.mark.parametrize("version", ["0.18.1", "0.19.0", "0.19.1", "0.21.2"])
@pytest.mark.parametrize("alone", [True, False])
def test_square_parameters_are_in_the_layout_of_the_others_or_else_of_the_version(
    tmp_path: Path, version: str, alone: bool
) -> None:
    """Of this model gate_up_proj is [4, 32, 32], down_proj [4, 32, 16]."""
    bases = save_bases("qwen3_moe", tmp_path)
    words = ["gate_up_proj"] if alone else ["gate_up_proj", "down_proj"]
    adapter = make_by_peft(bases[0], tmp_path / "adapter", target_modules=[], target_parameters=words)
    earlier = as_peft_0_18(adapter, tmp_path / "earlier", experts=4)
    is_earlier = version in ("0.18.1", "0.19.0")
    ours = earlier if is_earlier else adapter
    config = json.loads((ours / CONFIG).read_text())
    _ = config.pop("peft_version")
    said = {"peft_version": version} if alone else {}
    written = write_adapter(tmp_path / "written", load_file(ours / MATRICES), {**config, **said})
    compare(tmp_path, "qwen3_moe", bases, adapter, written)


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral", "granitemoe"])
def test_the_merged_folder_of_the_command_is_what_peft_computes(lineal: Command, model_type: str) -> None:
    bases = save_bases(model_type, Path())
    _ = make_by_peft(bases[0], Path("adapter"), **BOTH)
    model = PeftModel.from_pretrained(load(bases[0]), "adapter").eval()
    for base in bases:
        words = ("merge", "./adapter", "--base", f"./{base}", "--method", "adapter", "--out", f"{base}-full")
        answer = lineal(*words)
        assert answer.code == 0, answer.err
        assert read_folder(Path(f"{base}-full")).keys() == read_folder(base).keys()
        assert "recomputed, equal" in lineal("verify", f"{base}-full").out
        with torch.no_grad():
            found, expected = load(Path(f"{base}-full"))(TOKENS).logits, model(TOKENS).logits
        torch.testing.assert_close(found, expected, rtol=0, atol=5e-6 * float(expected.abs().max()))
    assert as_published(Path("published-full")) == as_published(Path("fused-full"))


def test_linear_merges_take_adapters_in_both_layouts_and_models_in_theirs(lineal: Command) -> None:
    published, fused = save_bases("mixtral", Path())
    _ = make_by_peft(published, Path("new"), **BOTH)
    _ = as_peft_0_18(Path("new"), Path("old"), experts=4)
    _ = merged_by_lineal(published, Path("new"), Path("full"))
    merged = []
    for number, (adapter, base) in enumerate((("new", published), ("old", fused), ("full", None))):
        based = () if base is None else ("--base", f"./{base}")
        out = f"merged{number}"
        answer = lineal("merge", f"./{adapter}", "./published", "--method", "linear", *based, "--out", out)
        assert answer.code == 0, answer.err
        assert "recomputed, equal" in lineal("verify", out).out
        merged.append(as_published(Path(out)))
    assert merged[0] == merged[1]
    for name, values in merged[2].items():
        found, expected = (np.frombuffer(raw, np.float32) for raw in (merged[0][name], values))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
