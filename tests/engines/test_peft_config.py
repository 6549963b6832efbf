"""Somebody else's adapter is opened by PEFT without its expressions, and computes what PEFT makes of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from lineal.checkpoint.reader import ADAPTER_CONFIG, open_checkpoint
from lineal.engines.inference.language_model import load_adapter, load_model
from lineal.engines.inference.peft_config import spelled_out
from lineal.errors import CheckpointError
from tests.llamas import make_llama

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT on transformers 5.23

CONFIGS: list[dict[str, Any]] = [
    {"target_modules": r".*layers\.0\..*(q|v)_proj", "r": 4, "lora_alpha": 3},
    {
        "target_modules": ["q_proj", "up_proj"],
        "r": 4,
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {r"layers\.1\..*": 5},
    },
    {"target_modules": "all-linear", "exclude_modules": ".*mlp.*", "r": 2, "use_rslora": True, "lora_alpha": 7},
    {"target_modules": ["k_proj"], "layers_to_transform": [1], "layers_pattern": "layers"},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_an_adapter_computes_what_peft_alone_makes_of_it(tmp_path: Path, config: dict[str, Any]) -> None:
    base = make_llama(tmp_path / "base")
    torch.manual_seed(1)
    made = get_peft_model(load_model(base), LoraConfig(**config))
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    made.save_pretrained(str(tmp_path / "adapter"))
    tokens = torch.tensor([[1, 2, 3, 4]])
    theirs = PeftModel.from_pretrained(load_model(base), str(tmp_path / "adapter")).eval()
    ours = load_adapter(load_model(base), tmp_path / "adapter")
    with torch.no_grad():
        assert torch.equal(ours(tokens).logits, theirs(tokens).logits)
        assert not torch.equal(ours(tokens).logits, load_model(base)(tokens).logits)


def test_no_expression_of_the_config_reaches_peft(tmp_path: Path) -> None:
    base = make_llama(tmp_path / "base")
    made = get_peft_model(load_model(base), LoraConfig(target_modules=["q_proj"], r=4))
    made.save_pretrained(str(tmp_path / "adapter"))
    place = tmp_path / "adapter" / ADAPTER_CONFIG
    written = {**json.loads(place.read_text()), "target_modules": ".*[q]_proj", "exclude_modules": "[x]+"}
    place.write_text(json.dumps({**written, "alpha_pattern": {"[z]": 1}, "layers_pattern": None}))
    config = spelled_out(open_checkpoint(tmp_path / "adapter"))
    shown = json.dumps(
        {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    )
    assert "[" + "q]" not in shown and "[x]" not in shown and "[z]" not in shown
    assert load_adapter(load_model(base), tmp_path / "adapter") is not None


@pytest.mark.parametrize("kind", ["LOHA", "IA3", None, 3])
def test_other_kinds_are_refused(tmp_path: Path, kind: object) -> None:
    base = make_llama(tmp_path / "base")
    get_peft_model(load_model(base), LoraConfig(target_modules=["q_proj"])).save_pretrained(str(tmp_path / "adapter"))
    place = tmp_path / "adapter" / ADAPTER_CONFIG
    place.write_text(json.dumps({**json.loads(place.read_text()), "peft_type": kind}))
    with pytest.raises(CheckpointError, match="only LORA can be read"):
        load_adapter(load_model(base), tmp_path / "adapter")
