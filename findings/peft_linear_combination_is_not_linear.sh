#!/usr/bin/env bash
# PEFT 0.21.2: add_weighted_adapter(combination_type="linear") does not combine the adapters' updates linearly.
#
# Guess: the "linear" mean of an adapter with itself is that adapter, and of two adapters it is the mean of their
# updates, up to rounding.
# Seen: the A matrices and the B matrices are averaged apart, each with the root of its weight, and multiplied
# afterwards, so every adapter's A meets every other's B. One adapter listed twice at 0.5 comes out twice as strong; of
# two independent adapters the result is off by 85 % of the norm of the true mean. "cat" gives the true mean.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$work/venv/bin/python" -W ignore - <<'PY'
import torch
from peft import LoraConfig, get_peft_model
from torch import nn


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8, bias=False)

    def forward(self, inputs):
        return self.linear(inputs)


torch.manual_seed(0)
config = LoraConfig(r=4, target_modules=["linear"], init_lora_weights=False)
model = get_peft_model(Layer(), config, adapter_name="a")
model.add_adapter("b", config)
inputs = torch.randn(3, 8)


@torch.no_grad()
def update(name):
    model.set_adapter(name)
    adapted = model(inputs)
    with model.disable_adapter():
        return adapted - model(inputs)


a, b = update("a"), update("b")
for name, adapters, kind in (("self", ["a", "a"], "linear"), ("mean", ["a", "b"], "linear"), ("cat", ["a", "b"], "cat")):
    model.add_weighted_adapter(adapters, [0.5, 0.5], name, combination_type=kind)
doubled = (update("self") / a).mean().item()
wanted = (a + b) / 2
off, exact = (((update(name) - wanted).norm() / wanted.norm()).item() for name in ("mean", "cat"))
print(f"an adapter averaged with itself: {doubled:.4f} times its update")
print(f"two adapters, relative error to the mean of their updates: linear {off:.3f}, cat {exact:.1e}")
assert abs(doubled - 2) < 1e-3, "one adapter averaged with itself no longer doubles"
assert off > 0.5, "linear is now near the mean of the updates"
assert exact < 1e-5, "cat no longer gives the mean of the updates"
PY
