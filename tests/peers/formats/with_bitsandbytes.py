"""nf4, fp4 and int8 as transformers saves what bitsandbytes holds, and bitsandbytes' own dequantization."""

from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def make(base: Path, folder: Path, **options: Any) -> dict[str, torch.Tensor]:
    dtypes = {key: getattr(torch, value) for key, value in options.items() if key == "bnb_4bit_quant_storage"}
    config = BitsAndBytesConfig(**{**options, **dtypes})
    model = AutoModelForCausalLM.from_pretrained(
        str(base), quantization_config=config, device_map="cpu", dtype=torch.bfloat16
    )
    model.save_pretrained(folder)
    return {f"{name}.weight": value for name, module in model.named_modules() if (value := _values(module)) is not None}


def _values(module: torch.nn.Module) -> torch.Tensor | None:
    if isinstance(module, bnb.nn.Linear4bit):
        return bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
    if isinstance(module, bnb.nn.Linear8bitLt):
        return bnb.functional.int8_vectorwise_dequant(module.weight.data, module.weight.SCB)
    return None
