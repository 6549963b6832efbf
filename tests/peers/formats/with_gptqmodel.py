"""GPTQ and AWQ folders of gptqmodel's own layers, packed by them, and what these layers dequantize."""

import json
from pathlib import Path
from typing import Any

import torch
from gptqmodel.nn_modules.qlinear.torch import TorchLinear
from gptqmodel.nn_modules.qlinear.torch_awq import AwqTorchLinear
from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm
from gptqmodel.quantization.config import QuantizeConfig
from gptqmodel.utils.model import convert_gptq_v1_to_v2_format_module, convert_gptq_v2_to_v1_format_module
from safetensors.torch import load_file, save_file

LEFT = ("embed_tokens", "lm_head", "norm", "mlp.gate.weight")


def make(base: Path, folder: Path, *, method: str, **options: Any) -> dict[str, torch.Tensor]:
    """Each matrix of the base, but those that are left as they are, rounded to nearest."""
    config = json.loads((base / "config.json").read_text())
    dtype = options.get("dtype", "float16")
    stored: dict[str, torch.Tensor] = {}
    values: dict[str, torch.Tensor] = {}
    for place, (name, weight) in enumerate(sorted(load_file(base / "model.safetensors").items())):
        if weight.ndim != 2 or any(part in name for part in LEFT):
            stored[name] = weight.to(getattr(torch, dtype))
            continue
        tensors, values[name] = MAKERS[method](weight.float(), seed=place, **options)
        stored |= {f"{name.removesuffix('weight')}{key}": tensor.contiguous() for key, tensor in tensors.items()}
    config["quantization_config"] = SETTINGS[method](**options)
    config["dtype"] = dtype
    (folder / "config.json").write_text(json.dumps(config))
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    return values


def _gptq(
    weight: torch.Tensor, seed: int, *, bits: int, group_size: int, sym: bool, desc_act: bool, checkpoint_format: str
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    outputs, inputs = weight.shape
    size = inputs if group_size == -1 else group_size
    groups = torch.arange(inputs, dtype=torch.int32) // size
    if desc_act:
        groups = groups[torch.randperm(inputs, generator=torch.Generator().manual_seed(seed))]
    scales, zeros = _fitted(weight, groups, bits, sym=sym)
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    linear.weight.data = weight
    packed = _torch_linear(bits, group_size, outputs, inputs, sym=sym, desc_act=desc_act)
    packed.pack_original(linear, scales, zeros, groups)
    if checkpoint_format == "gptq":
        convert_gptq_v2_to_v1_format_module(packed, QuantizeConfig(bits=bits))
    tensors = {key: getattr(packed, key).clone() for key in ("qweight", "qzeros", "scales", "g_idx")}
    opened = _torch_linear(bits, group_size, outputs, inputs, sym=sym, desc_act=desc_act)
    for key, tensor in tensors.items():
        setattr(opened, key, tensor.clone())
    if checkpoint_format == "gptq":
        convert_gptq_v1_to_v2_format_module(opened, bits, torch.int32)
    return tensors, opened.dequantize_weight().T


def _torch_linear(bits: int, group_size: int, outputs: int, inputs: int, *, sym: bool, desc_act: bool) -> Any:
    return TorchLinear(
        bits=bits,
        group_size=group_size,
        sym=sym,
        desc_act=desc_act,
        in_features=inputs,
        out_features=outputs,
        register_buffers=True,
    )


def _awq(weight: torch.Tensor, seed: int, *, group_size: int, dtype: str) -> tuple[dict[str, torch.Tensor], Any]:
    outputs, inputs = weight.shape
    size = inputs if group_size == -1 else group_size
    scales, zeros = _fitted(weight, torch.arange(inputs) // size, 4, sym=False)
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    linear.weight.data = weight
    packed = AwqTorchLinear(
        bits=4, group_size=size, sym=False, desc_act=False, in_features=inputs, out_features=outputs,
        dtype=getattr(torch, dtype),
    )  # fmt: skip
    packed.pack(linear, scales.to(getattr(torch, dtype)), zeros)
    tensors = {key: getattr(packed, key).clone() for key in ("qweight", "qzeros", "scales")}
    return tensors, dequantize_gemm(**tensors, bits=4, group_size=size).T


def _fitted(weight: torch.Tensor, groups: torch.Tensor, bits: int, *, sym: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales and zero points [outputs, groups] between the least and the largest value of each group."""
    most = 2**bits - 1
    scales, zeros = [], []
    for group in range(int(groups.max()) + 1):
        part = weight[:, groups == group]
        low, high = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
        if sym:
            high = torch.maximum(-low, high)
            low = -high
        scale = ((high - low) / most).clamp(min=1e-5)
        scales.append(scale)
        zeros.append(torch.full_like(scale, 2 ** (bits - 1)) if sym else (-low / scale).round().clamp(0, most))
    if not sym:
        zeros[0][::3] = 0  # where a writer borrows from the code beside it
    return torch.stack(scales, 1), torch.stack(zeros, 1)


def _gptq_settings(**options: Any) -> dict[str, Any]:
    return {"quant_method": "gptq", "lm_head": False, "pack_dtype": "int32", **options}


def _awq_settings(*, group_size: int, dtype: str) -> dict[str, Any]:
    return {"quant_method": "awq", "bits": 4, "group_size": group_size, "version": "gemm", "zero_point": True}


MAKERS = {"gptq": _gptq, "awq": _awq}
SETTINGS = {"gptq": _gptq_settings, "awq": _awq_settings}
