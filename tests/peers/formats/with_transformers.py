"""Folders that transformers dequantizes itself: float8 with a scale a block (DeepSeek), and GPT-OSS in MXFP4."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, FineGrainedFP8Config, GptOssConfig, GptOssForCausalLM, Mxfp4Config

BLOCK = 128
LARGEST = 448.0
"""Of float8 with four bits of exponent."""


def make(base: Path, folder: Path, *, kind: str) -> dict[str, torch.Tensor]:
    return {"fp8": _fp8, "gpt_oss": _gpt_oss}[kind](base, folder)


def _fp8(base: Path, folder: Path) -> dict[str, torch.Tensor]:
    config = json.loads((base / "config.json").read_text())
    settings = {"quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK], "activation_scheme": "dynamic"}
    config |= {"quantization_config": {**settings, "modules_to_not_convert": ["lm_head"]}, "dtype": "bfloat16"}
    tensors: dict[str, torch.Tensor] = {}
    coded: list[str] = []
    for name, weight in load_file(base / "model.safetensors").items():
        if not name.endswith("_proj.weight"):
            tensors[name] = weight
            continue
        high, wide = (-(-size // BLOCK) for size in weight.shape)
        scales = torch.zeros(high, wide)
        codes = torch.empty(weight.shape, dtype=torch.float8_e4m3fn)
        for row in range(high):
            for column in range(wide):
                place = (slice(row * BLOCK, (row + 1) * BLOCK), slice(column * BLOCK, (column + 1) * BLOCK))
                scales[row, column] = weight[place].float().abs().max() / LARGEST
                codes[place] = (weight[place].float() / scales[row, column]).to(torch.float8_e4m3fn)
        tensors |= {name: codes, f"{name}_scale_inv": scales}
        coded.append(name)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return _opened(folder, FineGrainedFP8Config(dequantize=True), coded)


def _gpt_oss(base: Path, folder: Path) -> dict[str, torch.Tensor]:
    """Random codes: transformers itself quantizes to MXFP4 on GPUs alone."""
    config = GptOssConfig(
        vocab_size=json.loads((base / "config.json").read_text())["vocab_size"],
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        num_local_experts=4,
        num_experts_per_tok=2,
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        dtype="bfloat16",
    )
    torch.manual_seed(1)
    model = GptOssForCausalLM(config).to(torch.bfloat16)
    drawn = torch.Generator().manual_seed(2)
    tensors: dict[str, torch.Tensor] = {}
    coded: list[str] = []
    for name, value in model.state_dict().items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            tensors[name] = value
            continue
        experts, inputs, outputs = value.shape
        shape = (experts, outputs, inputs // 32)
        tensors[f"{name}_blocks"] = torch.randint(0, 256, (*shape, 16), dtype=torch.uint8, generator=drawn)
        tensors[f"{name}_scales"] = torch.randint(118, 124, shape, dtype=torch.uint8, generator=drawn)
        coded.append(name)
    fields: dict[str, Any] = config.to_dict()
    fields |= {"architectures": ["GptOssForCausalLM"], "quantization_config": {"quant_method": "mxfp4"}}
    (folder / "config.json").write_text(json.dumps(fields))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return _opened(folder, Mxfp4Config(dequantize=True), coded)


def _opened(folder: Path, config: Any, coded: list[str]) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(str(folder), quantization_config=config, dtype=torch.bfloat16)
    values = model.state_dict()
    return {name: values[name] for name in coded}
