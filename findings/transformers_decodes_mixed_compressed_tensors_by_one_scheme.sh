#!/usr/bin/env bash
# transformers 5.23.0 with compressed-tensors 0.20.1: dequantize=True decodes every weight by the first scheme of the config.
#
# Guess: a folder whose attention has 4 bits and whose MLPs have 8 (two config_groups, each with its targets) gives the same
# weights whether it is opened as it is or with CompressedTensorsConfig(dequantize=True), each by the scheme of its own group.
# Seen: as it is, every weight is right. With dequantize=True the 4-bit weights are right, and those of 8 bits are cut into
# nibbles: as many values as the shape has, of the right scale, and off by more than their own norm. Nothing is raised or
# logged. With the groups in the other order it ends with an error of shapes. dequantize=True is what asymmetric folders
# need to open at all, and what one sets to train a folder further.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 compressed-tensors==0.20.1 \
    accelerate==1.15.0 numpy==2.4.6
cd "$work"
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=warning "$work/venv/bin/python" -W ignore - 2> said <<'PY' || { cat said; exit 1; }
import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    apply_quantization_config,
)
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils import calculate_qparams
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils.quantization_config import CompressedTensorsConfig

SHAPE = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "vocab_size": 96}
GROUP = 32


def scheme(targets, bits):
    weights = QuantizationArgs(num_bits=bits, type="int", symmetric=True, strategy="group", group_size=GROUP)
    return QuantizationScheme(targets=[targets], weights=weights, format="pack-quantized")


def write(folder, groups):
    """The folder as the library writes it; weight name -> what each weight is after rounding, by the library itself."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, num_attention_heads=4, dtype="bfloat16")).to(torch.bfloat16)
    config = QuantizationConfig(config_groups=groups, ignore=["lm_head"], format="pack-quantized")
    apply_quantization_config(model, config)
    rounded = {}
    for name, module in model.named_modules():
        if getattr(getattr(module, "quantization_scheme", None), "weights", None):
            asked, weight = module.quantization_scheme.weights, module.weight.data
            grouped = weight.float().reshape(len(weight), -1, GROUP)
            scale, zero = calculate_qparams(grouped.amin(-1), grouped.amax(-1), asked)
            module.weight_scale.data.copy_(scale)
            rounded[f"{name}.weight"] = fake_quantize(weight, module.weight_scale.data, torch.zeros_like(scale), asked)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(folder)
    return rounded


def off(model, rounded, part):
    """The largest distance of a weight of this part from what it should be, as a share of its norm."""
    found = {name: (model.get_parameter(name) - wanted).norm() / wanted.norm() for name, wanted in rounded.items()}
    return max(value.item() for name, value in found.items() if part in name)


attention, mlp = scheme("re:.*self_attn.*", 4), scheme("re:.*mlp.*", 8)
rounded = write("mixed", {"attention": attention, "mlp": mlp})
asis = AutoModelForCausalLM.from_pretrained("mixed")
with torch.no_grad():
    asis(torch.arange(1, 9)[None])  # decodes the weights
whole = AutoModelForCausalLM.from_pretrained("mixed", quantization_config=CompressedTensorsConfig(dequantize=True))
for said, model in (("as it is", asis), ("dequantize=True", whole)):
    print(f"{said}: attention (4 bits) off by {off(model, rounded, 'attn'):.3f}, MLP (8 bits) {off(model, rounded, 'mlp'):.3f}")
assert max(off(asis, rounded, part) for part in ("attn", "mlp")) < 1e-6, "as it is, the folder is no longer right"
assert off(whole, rounded, "attn") < 1e-6, "the first group is no longer right"
assert off(whole, rounded, "mlp") > 0.5, "the second group is decoded by its own scheme now"
PY
if grep -iE "mismatch|missing|unexpected|scheme" said; then echo "it is said now"; exit 1; fi
