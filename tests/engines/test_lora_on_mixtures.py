"""LoRA on mixtures of experts: what is trained is what PEFT opens, and what is left out is said."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    MixtralConfig,
    PhimoeConfig,
    Qwen2MoeConfig,
    Qwen3MoeConfig,
)

from lineal.engines.inference.language_model import load_model
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.train import train
from lineal.errors import MethodError
from lineal.methods.finetune.lora import Lora
from tests.engines.tiny_models import VOCABULARY, tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT on transformers 5.23

SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32,
    "num_experts_per_tok": 2,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
QWEN = {"num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16}
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
MIXTURES = {
    "qwen2_moe": (Qwen2MoeConfig(**SIZES, **QWEN), {"shared_expert_gate"}),
    "qwen3_moe": (Qwen3MoeConfig(**SIZES, **QWEN, mlp_only_layers=[0]), {"gate_proj", "up_proj", "down_proj"}),
    "deepseek_v3": (
        DeepseekV3Config(
            **SIZES,
            **LATENT,
            n_routed_experts=4,
            moe_intermediate_size=16,
            first_k_dense_replace=1,
            n_group=1,
            topk_group=1,
        ),
        {"gate_proj", "up_proj", "down_proj"},
    ),
    "mixtral": (MixtralConfig(**SIZES, num_local_experts=4), set()),
    "phimoe": (PhimoeConfig(**SIZES, num_local_experts=4), {"router"}),
}


def mixture(folder, name):
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(MIXTURES[name][0], dtype=torch.float32).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def adapted(tmp_path, data, method, remarks=None):
    out = tmp_path / "out"
    out.mkdir()
    options = {"data": [data], "out": out, "scratch": tmp_path / "scratch", "base": BaseName("base")}
    train(method, parent=tmp_path / "base", remark=None if remarks is None else remarks.append, **options)
    return out


@pytest.mark.parametrize("name", MIXTURES)
def test_the_default_trains_what_PEFT_opens_and_says_what_it_leaves_out(tmp_path, data, name):
    base, remarks = mixture(tmp_path / "base", name), []
    out = adapted(tmp_path, data, Lora(rank=4, learning_rate=0.05, sequence_length=32, tokens=256), remarks)
    assert {line.partition(" is not adapted")[0] for line in remarks[:-1]} == MIXTURES[name][1]
    assert remarks[-1].startswith("experts are not adapted")
    tokens = torch.arange(12)[None]
    in_peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base).eval(), str(out)).eval()
    with torch.no_grad():
        wanted = in_peft(tokens).logits
        assert torch.allclose(load_model(out, base)(tokens).logits, wanted, atol=1e-5)
        assert not torch.allclose(load_model(base)(tokens).logits, wanted, atol=1e-3)


@pytest.mark.parametrize("targets", [["down_proj"], r".*\.mlp\.down_proj"])
def test_a_layer_that_PEFT_would_take_for_experts_is_refused_by_its_path(tmp_path, data, targets):
    mixture(tmp_path / "base", "qwen3_moe")
    method = Lora(rank=4, target_modules=targets, sequence_length=32)
    with pytest.raises(MethodError, match=r"layers\.0\.mlp\.down_proj cannot be adapted: PEFT takes its name"):
        adapted(tmp_path, data, method)


def test_an_expression_adapts_what_it_names_and_nothing_else(tmp_path, data):
    mixture(tmp_path / "base", "qwen3_moe")
    method = Lora(rank=4, target_modules=r".*\.1\.self_attn\.q_proj", sequence_length=32, tokens=64)
    out = adapted(tmp_path, data, method)
    targets = json.loads((out / "adapter_config.json").read_text())["target_modules"]
    assert targets == ["model.layers.1.self_attn.q_proj"]
