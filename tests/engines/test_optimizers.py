"""Which optimizer moves which parameter, and how fast."""

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from lineal.engines.train.optimizers import make_optimizer, make_schedule
from lineal.methods.finetune.full import FullFineTune


def rates(**options) -> list[float]:
    method = FullFineTune(learning_rate=1.0, **options)
    schedule = make_schedule(method, torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), 20)
    return [schedule.lr_lambdas[0](step) for step in range(20)]


@pytest.fixture
def model(tiny_model):
    return AutoModelForCausalLM.from_pretrained(tiny_model)


def test_the_rate_rises_during_the_warmup_and_then_follows_its_schedule():
    constant = rates(schedule="constant", warmup_share=0.2)
    assert constant == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 16)
    for schedule in ("linear", "cosine"):
        falling = rates(schedule=schedule, warmup_share=0.0)
        assert falling[0] == 1.0
        assert falling == sorted(falling, reverse=True)
        assert 0 < falling[-1] < 0.06
        assert falling[10] == pytest.approx(0.5)


def test_muon_moves_hidden_matrices_and_adamw_everything_else(model):
    optimizer = make_optimizer(FullFineTune(optimizer="muon"), model, model.get_output_embeddings())
    muon, adamw = ({id(p) for group in part.param_groups for p in group["params"]} for part in optimizer._parts)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[p].rpartition(".")[0].rpartition(".")[2] for p in muon} == {
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    }
    assert muon.isdisjoint(adamw)
    assert muon | adamw == set(names)
    assert all("norm" in names[p] or "embed" in names[p] for p in adamw)


def test_vectors_do_not_decay(model):
    for group in make_optimizer(FullFineTune(weight_decay=0.1), model, None).param_groups:
        assert group["weight_decay"] == (0.1 if group["params"][0].ndim == 2 else 0.0)


def test_a_schedule_reaches_both_halves_of_muon_also_after_their_state_was_loaded(model):
    def make():
        made = make_optimizer(FullFineTune(optimizer="muon", learning_rate=1.0), model, None)
        return made, torch.optim.lr_scheduler.LambdaLR(made, lambda step: 0.5**step)

    first, _ = make()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    first.step()
    second, schedule = make()
    second.load_state_dict(first.state_dict())
    second.step()
    schedule.step()
    assert {group["lr"] for part in second._parts for group in part.param_groups} == {0.5}
    assert all(part.state for part in second._parts)
