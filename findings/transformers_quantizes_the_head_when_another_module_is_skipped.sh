#!/usr/bin/env bash
# transformers 5.23.0 with bitsandbytes 0.50.2: a list of modules to skip takes the place of the head, which is then quantized.
#
# Guess: `llm_int8_skip_modules=["down_proj"]` leaves out one kind of layer more than the default does; the output head stays
# as it is, as "the last lm_head is kept in its original dtype" in the option's own description has it.
# Seen: the list replaces the default. Without it lm_head is a Linear; with it down_proj is one, and lm_head has 4-bit codes:
# who protects one sensitive layer gives up the most sensitive. Nothing is logged.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 bitsandbytes==0.50.2 \
    accelerate==1.15.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=warning "$work/venv/bin/python" -W ignore - 2> said <<'PY' || { cat said; exit 1; }
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 1, "vocab_size": 96}
plain = LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=4, dtype="float32", initializer_range=0.1))
plain.save_pretrained("plain")
assert "the last `lm_head` is kept in its original `dtype`" in " ".join(BitsAndBytesConfig.__doc__.split())


def opened(skipped):
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=skipped)
    return AutoModelForCausalLM.from_pretrained("plain", quantization_config=config)


def kinds(model):
    layers = {"lm_head": model.lm_head, "down_proj": model.model.layers[0].mlp.down_proj}
    return {name: type(layer).__name__ for name, layer in layers.items()}


default, skipping = kinds(opened(None)), kinds(opened(["down_proj"]))
print("nothing said:     ", default)
print("down_proj skipped:", skipping)
assert default == {"lm_head": "Linear", "down_proj": "Linear4bit"}, "the default is another one now"
assert skipping == {"lm_head": "Linear4bit", "down_proj": "Linear"}, "the head stays as it is now"
PY
if grep -iE "lm_head|skip" said; then echo "it is said now"; exit 1; fi
