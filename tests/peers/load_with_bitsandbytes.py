"""Runs in the environment of quantized formats, without lineal: folders of bitsandbytes' codes in transformers.

stdin: {"folder": a quantized folder, "base": folder of full weights or null, "options": of BitsAndBytesConfig,
"tokens": a prompt, "out": where to}. Writes out/tensors.safetensors (the folder, as its model holds it) and
out/of_base.safetensors (base, quantized on the fly), out/values.safetensors (dequantized weights); prints logits of
the dequantized model and of the folder's own, and how it goes on.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def load(folder: str, **options: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", **options).eval()


def main(folder: str, base: str, options: dict[str, Any], tokens: list[int], out: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    at, prompt, model = Path(out), torch.tensor([tokens]), load(folder)
    save_file({name: tensor.clone() for name, tensor in model.state_dict().items()}, at / "tensors.safetensors")
    config = BitsAndBytesConfig(**options, bnb_4bit_compute_dtype=model.dtype)
    of_base = load(base, quantization_config=config, dtype=model.dtype)
    save_file({name: tensor.clone() for name, tensor in of_base.state_dict().items()}, at / "of_base.safetensors")
    with torch.no_grad():
        for module in model.modules():  # its products with bfloat16 alone, which some processors have
            if isinstance(module, bnb.nn.Linear4bit):
                module.support_avx512bf16_for_cpu = False
        logits = model(prompt).logits[0].float()
        going_on = model.generate(prompt, max_new_tokens=8, do_sample=False)[0].tolist()
        full = model.dequantize(dtype=model.dtype)
        of_full = full(prompt).logits[0].float()
    values = {name: tensor.clone() for name, tensor in full.state_dict().items()}
    save_file(values, at / "values.safetensors")
    return {"logits": logits.tolist(), "of_full": of_full.tolist(), "going_on": going_on}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(main(**json.load(sys.stdin))))
