#!/usr/bin/env bash
# PEFT 0.21.2: adapters made with transformers 4 on layers of experts have another strength with transformers 5.23.0.
#
# Guess: transformers 5 joins the gate_proj and up_proj of all experts, and PEFT converts adapters that were made on the
# layers apart: it refuses those that it cannot convert, and the others give the logits that they gave.
# Seen: with the same PEFT under both, a plain adapter keeps its logits. With use_rslora, the updates of gate_proj and
# up_proj come out 1.4142 times as strong, with no warning that a plain one does not get: r and lora_alpha are both
# doubled where the two are joined, which keeps alpha / r, but not alpha / sqrt(r). With an alpha_pattern of 16 for
# gate_proj and up_proj, both have the lora_alpha of 4 afterwards, and a quarter of their strength. down_proj is right
# each time, its alpha_pattern too. A warning lists patterns as ignored, but it lists the one of down_proj just as well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 4.57.6 5.23.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
    "$work/$version/bin/pip" install --quiet --disable-pip-version-check peft==0.21.2 "transformers==$version" \
        safetensors==0.8.0 numpy==2.4.6
done
cd "$work"
cat >common.py <<'PY'
import os

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")
import torch
from transformers import AutoModelForCausalLM

TOKENS = torch.arange(2, 14)[None]
EXPERTS, WIDTH = 4, 16
PARTS = ["gate_proj", "up_proj", "down_proj"]
SETTINGS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "alpha of gate and up": {"alpha_pattern": {"gate_proj": 16, "up_proj": 16}},
    "alpha of down": {"alpha_pattern": {"down_proj": 16}},
}


def base():
    return AutoModelForCausalLM.from_pretrained("base", dtype=torch.float32).eval()


def experts(model):
    """The first layer's weights of each part, those of all experts in one tensor."""
    weights = {name.removeprefix("model.layers.0.mlp.experts."): one for name, one in model.state_dict().items()}
    if "gate_up_proj" not in weights:
        return {part: torch.stack([weights[f"{i}.{part}.weight"] for i in range(EXPERTS)]) for part in PARTS}
    joined = weights["gate_up_proj"]
    return dict(zip(PARTS, (joined[:, :WIDTH], joined[:, WIDTH:], weights["down_proj"]), strict=True))


@torch.no_grad()
def results(adapted):
    """The logits, and what merging the adapter adds to each part."""
    logits = adapted(TOKENS).logits
    merged, before = experts(adapted.merge_and_unload()), experts(base())
    return logits, {part: merged[part] - before[part] for part in PARTS}
PY
"$work/4.57.6/bin/python" -W ignore - <<'PY'
from common import EXPERTS, PARTS, SETTINGS, WIDTH, AutoModelForCausalLM, base, results, torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen3MoeConfig

torch.manual_seed(0)
shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8}
heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
mixture = {"moe_intermediate_size": WIDTH, "num_experts": EXPERTS, "num_experts_per_tok": 2}
special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
AutoModelForCausalLM.from_config(Qwen3MoeConfig(**shape, **heads, **mixture, **special)).save_pretrained("base")
for name, settings in SETTINGS.items():
    config = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=PARTS, **settings)
    adapted = get_peft_model(base(), config).eval()
    torch.manual_seed(1)
    for parameter_name, parameter in adapted.named_parameters():
        if "lora_" in parameter_name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(name)
    torch.save(results(adapted), f"{name}.pt")
PY
"$work/5.23.0/bin/python" - <<'PY'
import warnings

import peft
import transformers
from common import PARTS, SETTINGS, base, results, torch

print(f"PEFT {peft.__version__}, transformers {transformers.__version__}")
expected = {
    "plain": [1, 1, 1],
    "rslora": [2**0.5, 2**0.5, 1],
    "alpha of gate and up": [0.25, 0.25, 1],
    "alpha of down": [1, 1, 1],
}
named = {}
for name in SETTINGS:
    logits, updates = torch.load(f"{name}.pt")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        now, now_updates = results(peft.PeftModel.from_pretrained(base(), name).eval())
    off = ((now - logits).norm() / logits.norm()).item()
    strengths = {part: (now_updates[part].norm() / updates[part].norm()).item() for part in PARTS}
    print(f"{name}: logits off by {off:.1e}; strength", {part: f"{one:.4f}" for part, one in strengths.items()})
    named[name] = [str(one.message) for one in said if "alpha_pattern keys" in str(one.message)]
    print(" ", *named[name])
    for part, strength in zip(PARTS, expected[name], strict=True):
        error = (now_updates[part] - strength * updates[part]).norm() / updates[part].norm()
        assert error < 1e-4, f"{name}: {part} is not {strength:.4f} times the update now"
    same = expected[name] == [1, 1, 1]
    assert off < 1e-5 if same else off > 0.01, f"{name}: the logits are {'not ' if same else ''}the same now"
assert named["rslora"] == named["plain"], "use_rslora is warned of now"
for name, part in (("alpha of gate and up", "gate_proj"), ("alpha of down", "down_proj")):
    (message,) = named[name]
    assert "were ignored" in message and f"'{part}'" in message, f"the warning does not name {part} now"
PY
