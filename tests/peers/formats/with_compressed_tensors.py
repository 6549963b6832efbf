"""Folders that compressed-tensors compresses, by the name of a preset, and what it decompresses of them."""

from pathlib import Path
from typing import Any

import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
from compressed_tensors.quantization.quant_scheme import preset_name_to_scheme
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from transformers import AutoModelForCausalLM


def make(base: Path, folder: Path, *, preset: str, **weights: Any) -> dict[str, torch.Tensor]:
    """weights: what is to be otherwise than the preset has it."""
    model = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.bfloat16)
    scheme = preset_name_to_scheme(preset, ["Linear"])
    for key, value in weights.items():
        setattr(scheme.weights, key, value)
    config = QuantizationConfig(config_groups={"group_0": scheme}, ignore=["lm_head"])
    apply_quantization_config(model, config)
    layers = {name: module for name, module in model.named_modules() if hasattr(module, "weight_scale")}
    for module in layers.values():
        _calibrate(module, scheme.weights)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(str(folder))
    compressor.decompress_model(model)
    return {f"{name}.weight": module.weight.detach() for name, module in layers.items()}


def _calibrate(module: torch.nn.Module, weights: Any) -> None:
    """Scales and zero points between the least and the largest value."""
    values, whole = module.weight.detach(), None
    if hasattr(module, "weight_global_scale"):
        whole = generate_gparam(values.amin(), values.amax())
        module.weight_global_scale.data.copy_(whole)
    parts = _parts(values, weights)
    scale, zero = calculate_qparams(parts.amin(-1), parts.amax(-1), weights, global_scale=whole)
    module.weight_scale.data.copy_(scale.reshape(module.weight_scale.shape))
    if hasattr(module, "weight_zero_point"):
        module.weight_zero_point.data.copy_(zero.reshape(module.weight_zero_point.shape))
    for name in ("input_scale", "input_global_scale"):
        if hasattr(module, name):
            getattr(module, name).data.fill_(0.5)


def _parts(values: torch.Tensor, weights: Any) -> torch.Tensor:
    """The values that share a scale along the last dimension."""
    rows, columns = values.shape
    match str(getattr(weights.strategy, "value", weights.strategy)):
        case "tensor":
            return values.reshape(1, -1)
        case "channel":
            return values
        case "group" | "tensor_group":
            return values.reshape(rows, -1, weights.group_size)
        case "block":
            high, wide = weights.block_structure
            padded = torch.nn.functional.pad(values, (0, -columns % wide, 0, -rows % high))
            blocks = padded.reshape(-(-rows // high), high, -(-columns // wide), wide)
            return blocks.transpose(1, 2).flatten(2)
