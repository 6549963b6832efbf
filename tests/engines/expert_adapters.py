"""Adapters on tiny mixtures of experts, made by PEFT, and the same adapters as others have written them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.methods.merge.adapter import AdapterMerge
from tests.engines.merges import write
from tests.walk.tiny import tiny_model

CONFIG, MATRICES = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
TOKENS = torch.arange(2, 14)[None]

Weights = Mapping[str, torch.Tensor]


def save_bases(model_type: str, folder: Path) -> tuple[Path, Path]:
    """A tiny model as it is published, and as it is in memory."""
    model = tiny_model(model_type)
    model.save_pretrained(folder / "published")
    model.save_pretrained(folder / "fused", save_original_format=False)
    return folder / "published", folder / "fused"


def load(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def make_by_peft(base: Path, folder: Path, **settings: Any) -> Path:
    """An adapter with random matrices; it is of some use: PEFT's start would change nothing."""
    adapted = get_peft_model(load(base), LoraConfig(**{"task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 3, **settings}))
    torch.manual_seed(2)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


def write_adapter(folder: Path, tensors: Weights, config: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / MATRICES)
    (folder / CONFIG).write_text(json.dumps(config))
    return folder


def as_peft_0_18(adapter: Path, folder: Path, experts: int) -> Path:
    """The same updates as PEFT up to 0.19.0 stored them.

    Its ParamWrapper took [experts, rows, columns] for [experts, in, out]: A [rank * experts, rows], B [columns, rank *
    experts], and the update einsum("o r e, e r i -> e i o", B, A).
    """
    found = load_file(adapter / MATRICES)
    tensors = dict(found)
    for name in found:
        if ".experts." in name and "lora_A" in name:
            a, b = found[name], found[name.replace("lora_A", "lora_B")]
            of_rows, of_columns = b.reshape(len(b), -1, experts), a.reshape(experts, -1, a.shape[1])
            tensors[name] = of_rows.permute(2, 1, 0).flatten(0, 1)
            tensors[name.replace("lora_A", "lora_B")] = of_columns.permute(2, 1, 0).flatten(1, 2)
    return write_adapter(folder, tensors, {**json.loads((adapter / CONFIG).read_text()), "peft_version": "0.18.1"})


def write_per_expert(base: Path, folder: Path, rank: int = 2, **settings: Any) -> Path:
    """As transformers 4 had experts, each of their layers is adapted by itself. base: as it is published."""
    torch.manual_seed(3)
    tensors: dict[str, torch.Tensor] = {}
    words: set[str] = set()
    for name, spec in open_checkpoint(base).items():
        module = name.removesuffix(".weight")
        if ".experts." in name or module.endswith("q_proj"):
            words.add(module.rpartition(".")[2])
            tensors[f"{PREFIX}{module}.lora_A.weight"] = 0.1 * torch.randn(rank, spec.shape[1])
            tensors[f"{PREFIX}{module}.lora_B.weight"] = 0.1 * torch.randn(spec.shape[0], rank)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 3,
        "target_modules": sorted(words),
    }
    return write_adapter(folder, tensors, {**config, **settings})


def merged_by_peft(base: Path, adapter: Path) -> tuple[Weights, torch.Tensor]:
    """The weights by their names in memory, and the logits of the model that is not merged."""
    model = PeftModel.from_pretrained(load(base), str(adapter)).eval()
    with torch.no_grad():
        logits = model(TOKENS).logits
    return dict(model.merge_and_unload().state_dict()), logits


def merged_by_lineal(base: Path, adapter: Path, folder: Path) -> Path:
    """The full model, with the base's config beside it."""
    model = full_model("adapter", open_checkpoint(base), open_checkpoint(adapter))
    write(plan_merge(AdapterMerge(), [model]), folder, threads=2)
    (folder / "config.json").write_bytes((base / "config.json").read_bytes())
    return folder


def furthest(found: Weights, expected: Weights) -> float:
    """The largest difference, to the largest weight of its tensor."""
    assert found.keys() == expected.keys()
    return max(float((found[name] - one).abs().max() / one.abs().max()) for name, one in expected.items())
