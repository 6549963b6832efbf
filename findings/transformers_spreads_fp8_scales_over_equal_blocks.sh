#!/usr/bin/env bash
# transformers 5.23.0: FP8 weights whose sides are no multiples of 128 are read with blocks of another size, and wrongly.
#
# Guess: `weight_block_size: [128, 128]` says which weights share a scale. A matrix of 192 rows has two rows of scales, one
# for its first 128 rows, one for the other 64, as DeepSeek's own kernels have it.
# Seen: opened on a CPU, where FP8 folders become ordinary weights, the block is the number of rows over the number of rows
# of scales: 96 and 96. The weights between row 96 and row 128 get the scale of another block. No word of it. Where the sides
# are multiples of 128 every weight is exact; where the division leaves a rest (576 rows, 5 scales) it is an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 safetensors==0.8.0 \
    accelerate==1.15.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=warning "$work/venv/bin/python" -W ignore - 2> said <<'PY' || { cat said; exit 1; }
import json
import math

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, FineGrainedFP8Config, LlamaConfig, LlamaForCausalLM

BLOCK, LARGEST = 128, 448


def spread_out(scales, rows, columns):
    """A scale for each weight, as weight_block_size has it."""
    return scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[:rows, :columns]


def errors(hidden, intermediate):
    """Projection -> distance of the weights that transformers reads from q * scale, as a share of their norm."""
    torch.manual_seed(0)
    shape = {"hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": 1, "vocab_size": 96}
    LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=4, dtype="float32")).save_pretrained("fp8")
    tensors, wanted = load_file("fp8/model.safetensors"), {}
    for name in [name for name in tensors if name.endswith("proj.weight")]:
        rows, columns = tensors[name].shape
        weight = tensors[name] * torch.linspace(1, 10, rows)[:, None]  # rows differ, as those of models do
        padded = torch.zeros(math.ceil(rows / BLOCK) * BLOCK, math.ceil(columns / BLOCK) * BLOCK)
        padded[:rows, :columns] = weight
        blocks = padded.unflatten(0, (-1, BLOCK)).unflatten(2, (-1, BLOCK))
        scales = blocks.abs().amax((1, 3)) / LARGEST
        codes = (weight / spread_out(scales, rows, columns)).to(torch.float8_e4m3fn)
        tensors |= {name: codes, f"{name}_scale_inv": scales}
        wanted[name] = codes.float() * spread_out(scales, rows, columns)
    save_file(tensors, "fp8/model.safetensors", metadata={"format": "pt"})
    with open("fp8/config.json") as file:
        config = json.load(file)
    config["quantization_config"] = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [BLOCK] * 2}
    with open("fp8/config.json", "w") as file:
        json.dump(config, file)
    asked = FineGrainedFP8Config(weight_block_size=(BLOCK, BLOCK), dequantize=True)
    model = AutoModelForCausalLM.from_pretrained("fp8", dtype=torch.float32, quantization_config=asked)
    read = {name: model.get_parameter(name) for name in wanted}
    return {n.split(".")[-2]: ((read[n] - w).norm() / w.norm()).item() for n, w in wanted.items()}


whole, cut = errors(128, 256), errors(128, 192)
print("sides of 128 and 256, off by", {name: round(value, 4) for name, value in whole.items()})
print("sides of 128 and 192, off by", {name: round(value, 4) for name, value in cut.items()})
assert max(whole.values()) < 1e-6, "whole blocks are no longer exact"
assert min(cut["gate_proj"], cut["up_proj"]) > 0.02, "192 rows are read with blocks of 128 now"
PY
if grep -iE "block|divis|scale" said; then echo "it is said now"; exit 1; fi
