#!/usr/bin/env bash
# compressed-tensors 0.20.1 in transformers 5.23.0: save_pretrained() writes codes before the first forward pass, and weights
# in full after it.
#
# Guess: a W4A16 folder that is opened and saved again is the same folder, whether the model has answered a question in
# between or not: running a model does not change what it is.
# Seen: the first forward pass decodes every weight in place. Saved before it, the folder has the codes, tensor for tensor.
# Saved after it, it has bfloat16 weights beside the scales and shapes of the codes, is several times as large, and its
# config says `quantization_status: decompressed` of the format pack-quantized. Nothing tells that this has happened.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 compressed-tensors==0.20.1 \
    accelerate==1.15.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=warning "$work/venv/bin/python" -W ignore - 2> said <<'PY' || { cat said; exit 1; }
import json

import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config, preset_name_to_scheme
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
shape = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "vocab_size": 96}
model = LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=4, dtype="bfloat16")).to(torch.bfloat16)
scheme = preset_name_to_scheme("W4A16", targets=["Linear"])
apply_quantization_config(model, QuantizationConfig(config_groups={"group_0": scheme}, ignore=["lm_head"]))
for module in model.modules():
    if getattr(getattr(module, "quantization_scheme", None), "weights", None):
        grouped = module.weight.data.float().reshape(len(module.weight), -1, scheme.weights.group_size)
        scale, _ = calculate_qparams(grouped.amin(-1), grouped.amax(-1), scheme.weights)
        module.weight_scale.data.copy_(scale)
compressor = ModelCompressor.from_pretrained_model(model)
compressor.compress_model(model)
model.save_pretrained("codes")
compressor.update_config("codes")

opened = AutoModelForCausalLM.from_pretrained("codes")
opened.save_pretrained("before")
with torch.no_grad():
    opened(torch.arange(1, 9)[None])
opened.save_pretrained("after")


def told(folder):
    tensors = load_file(f"{folder}/model.safetensors")
    with open(f"{folder}/config.json") as file:
        status = json.load(file)["quantization_config"]["quantization_status"]
    of_one = sorted(name.split("q_proj.")[1] for name in tensors if "layers.0.self_attn.q_proj." in name)
    size = sum(t.nbytes for name, t in tensors.items() if "proj" in name)
    print(f"{folder:6}: {size:9,} bytes in layers, {status}, a layer has {', '.join(of_one)}")
    return tensors, of_one, size


codes, before, after = (told(folder) for folder in ("codes", "before", "after"))
assert all(torch.equal(codes[0][name], tensor) for name, tensor in before[0].items()), "codes are no longer kept"
assert after[1] == ["weight", "weight_scale", "weight_shape"], "what is saved after a forward pass is another thing now"
assert after[2] > 3 * codes[2], "the folder no longer grows"
PY
if grep -iE "decompress|save" said; then echo "it is said now"; exit 1; fi
