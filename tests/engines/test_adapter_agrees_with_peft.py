"""Base + LoRA as lineal computes it is what PEFT's merge_and_unload computes, for every way to scale it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import lay_out
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.engines.stream.engine import stream
from lineal.methods.merge.adapter import AdapterMerge
from tests.builders import read_folder

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT asks for it

CONFIG = LlamaConfig(
    vocab_size=32,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=16,
)

ADAPTERS: dict[str, dict[str, Any]] = {
    "plain": {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
    "rank-stabilized": {"r": 4, "lora_alpha": 3, "use_rslora": True, "target_modules": ["q_proj", "down_proj"]},
    "patterns": {
        "r": 2,
        "lora_alpha": 5,
        "target_modules": ["q_proj", "v_proj", "up_proj"],
        "rank_pattern": {"v_proj": 5, "layers.1.mlp.up_proj": 3},
        "alpha_pattern": {"layers.0.*": 7, "up_proj": 11},
    },
    "the output head too": {"r": 3, "lora_alpha": 1, "target_modules": ["lm_head", "o_proj"]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(1)
    LlamaForCausalLM(CONFIG).save_pretrained(folder)
    return folder


def adapt(base: Path, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Save an adapter with random matrices; returns the weights as PEFT merges them, in float32."""
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))
    torch.manual_seed(2)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)  # else it also saves the head it adapts
    again = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base, dtype=torch.float32), folder)
    return {name: weight.numpy() for name, weight in again.merge_and_unload().state_dict().items()}


def merged(base: Path, adapter: Path, out: Path) -> dict[str, Any]:
    checkpoint = open_checkpoint(base)
    base_model, model = full_model("base", checkpoint), full_model("adapter", checkpoint, open_checkpoint(adapter))
    plan = plan_merge(AdapterMerge(), [model], base_model if AdapterMerge.uses_base else None)
    layout = lay_out(plan.planned)
    with CheckpointWriter(out, layout, "key") as writer:
        stream(plan.jobs, writer, threads=2)
        writer.seal()
    return read_folder(out)


@pytest.mark.parametrize("settings", ADAPTERS.values(), ids=ADAPTERS)
def test_the_merged_weights_are_those_of_peft(base: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    expected = adapt(base, tmp_path / "adapter", settings)
    found = merged(base, tmp_path / "adapter", tmp_path / "merged")
    stored = read_folder(base)
    assert found.keys() == expected.keys()
    changed = {name for name in found if not np.array_equal(found[name], stored[name])}
    assert changed
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-6)
        assert (name in changed) == (not np.array_equal(expected[name], stored[name]))
