"""Logits in parts are the model's own, whatever it does behind its head; else they are made whole."""

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    MambaConfig,
    OPTConfig,
    PhiConfig,
)

from lineal.engines.inference.evaluate import Reading
from lineal.engines.inference.prediction import Predictor
from tests.engines.scoring import evaluate
from tests.engines.tiny_models import make_documents

SIZES = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
FEW = {"vocab_size": 97, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
CONFIGS = {
    "plain": LlamaConfig(**SIZES),
    "capped": Gemma2Config(**SIZES, final_logit_softcapping=2.0),
    "scaled": CohereConfig(**SIZES, logit_scale=0.25),
    "divided": GraniteConfig(**SIZES, logits_scaling=3.0),
    "with a bias": PhiConfig(**{**SIZES, "num_key_value_heads": 4}),
    "tied": GPT2Config(**FEW, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "projected": OPTConfig(
        **FEW, hidden_size=32, word_embed_proj_dim=16, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4
    ),
    "recurrent": MambaConfig(**FEW, hidden_size=32, state_size=8, num_hidden_layers=2),
}
TOKENS = (torch.arange(22) % 90).view(2, 11)


def model_of(config) -> nn.Module:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3).add_(0.01)
    return model


def in_parts(predictor: Predictor, chosen: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        parts = list(predictor.logits(TOKENS, chosen))
    assert max(map(len, parts)) <= 5
    return torch.cat(parts)


@pytest.mark.parametrize("kind", CONFIGS)
def test_parts_of_logits_are_those_of_the_whole(kind):
    model, chosen = model_of(CONFIGS[kind]), torch.zeros_like(TOKENS, dtype=torch.bool)
    chosen[0, 3:], chosen[1, :7] = True, True
    with torch.inference_mode():
        whole = model(TOKENS).logits[chosen]
    predictor = Predictor(model, 5)
    assert predictor.in_parts
    assert torch.allclose(in_parts(predictor, chosen), whole, rtol=0, atol=1e-6 * float(whole.abs().max()))
    with torch.inference_mode():
        assert torch.equal(model(TOKENS).logits[chosen], whole)  # the model is left as it was


def test_a_model_whose_logits_depend_on_more_than_hidden_states_is_computed_whole():
    model = model_of(CONFIGS["plain"])
    head, chosen = model.lm_head, torch.ones_like(TOKENS, dtype=torch.bool)
    head.register_forward_hook(lambda _module, _inputs, output: output - output.mean(1, keepdim=True))
    predictor = Predictor(model, 5)
    assert not predictor.in_parts
    with torch.inference_mode():
        assert torch.equal(in_parts(predictor, chosen), model(TOKENS).logits[chosen])


def test_it_is_said_where_logits_are_whole_and_the_figures_are_the_same(tiny_model, tmp_path, monkeypatch):
    text = tmp_path / "t.txt"
    text.write_text(" ".join(make_documents(2, 5)))
    said: list[str] = []
    usual = evaluate(tiny_model, {"t": text}, reference=tiny_model, remark=said.append)["t"]
    assert said == []
    monkeypatch.setattr("lineal.engines.inference.prediction._candidates", lambda _model: [])
    whole = evaluate(tiny_model, {"t": text}, reference=tiny_model, reading=Reading(batch_tokens=1), remark=said.append)
    assert whole["t"].perplexity == pytest.approx(usual.perplexity, rel=1e-6)
    assert said == ["all logits of a batch are held at once: the head of this architecture cannot be run by itself"]
