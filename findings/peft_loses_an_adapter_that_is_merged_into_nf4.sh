#!/usr/bin/env bash
# PEFT 0.21.2 with bitsandbytes 0.50.2: merge_and_unload() into an NF4 model leaves next to nothing of the adapter.
#
# Guess: the merged weights are rounded to four bits once more, so the merged model is the adapted one and some noise of
# rounding, as PEFT's warning says ("may get different generations due to rounding errors").
# Seen: the weights lie on NF4's grid already, and an update smaller than half a step of it rounds back to where it was. Of
# an update of 2 % of the weights' norm, which is much for a LoRA, 2 % is left along its own direction, and what has changed
# is off by more than the whole update: the merged model is the base, not the fine-tune. At 10 % four fifths arrive. In int8
# the same update of 2 % arrives whole. To keep an adapter, add it to weights that are no codes yet.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 bitsandbytes==0.50.2 peft==0.21.2 \
    accelerate==1.15.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=error "$work/venv/bin/python" -W ignore - <<'PY'
import torch
from bitsandbytes.functional import dequantize_4bit
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
shape = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1, "vocab_size": 96}
LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=4, dtype="float32")).save_pretrained("base")
KINDS = {
    "nf4": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    "int8": BitsAndBytesConfig(load_in_8bit=True),
}


def values(layer, kind):
    if kind == "nf4":
        return dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
    scales = layer.weight.SCB if layer.weight.SCB is not None else layer.state.SCB
    return layer.weight.data.float() * scales.view(-1, 1) / 127


def arrived(kind, share):
    """(share of the update along its direction, error of the change as a share of the update) after merging it."""
    model = AutoModelForCausalLM.from_pretrained("base", quantization_config=KINDS[kind])
    before = values(model.model.layers[0].mlp.down_proj, kind)
    adapted = get_peft_model(model, LoraConfig(r=8, lora_alpha=8, target_modules=["down_proj"]))
    layer = adapted.base_model.model.model.layers[0].mlp.down_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.manual_seed(1)
    with torch.no_grad():
        b.normal_()
        b *= share * before.norm() / (b @ a).norm()
        update = b @ a
    change = values(adapted.merge_and_unload().model.layers[0].mlp.down_proj, kind) - before
    return ((change * update).sum() / update.square().sum()).item(), ((change - update).norm() / update.norm()).item()


for kind in KINDS:
    for share in (0.005, 0.02, 0.1):
        kept, error = arrived(kind, share)
        print(f"{kind}: an update of {share:5.1%} of the weights: {kept:6.1%} of it arrived, error {error:.2f} of it")
        if kind == "nf4" and share < 0.1:
            assert kept < 0.1, "more than a tenth of the update arrives now"
            assert error > 0.9, "the merged weights are nearer to the adapted ones now"
assert arrived("nf4", 0.1)[0] > 0.5, "a large update no longer arrives"
assert arrived("int8", 0.02)[0] > 0.9, "int8 loses it, too, now"
PY
