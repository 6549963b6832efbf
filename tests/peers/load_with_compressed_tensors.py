"""Runs in the environment of quantized formats, without lineal: a packed folder in transformers.

stdin: {"folder": of packed weights, "dequantize": whether transformers is asked for full weights, "tokens": a prompt,
"out": where to}. Writes out/values.safetensors, the weights as compressed-tensors decompresses them; prints the logits
of the folder as transformers runs it, and how it goes on.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from compressed_tensors.compressors import ModelCompressor
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils.quantization_config import CompressedTensorsConfig


def main(folder: str, dequantize: bool, tokens: list[int], out: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    asked = {"quantization_config": CompressedTensorsConfig(dequantize=True)} if dequantize else {}
    model: Any = AutoModelForCausalLM.from_pretrained(folder, device_map="cpu", **asked).eval()
    prompt = torch.tensor([tokens])
    with torch.no_grad():
        logits = model(prompt).logits[0].float()
        going_on = model.generate(prompt, max_new_tokens=8, do_sample=False)[0].tolist()
    held = {name for name, _ in model.named_parameters()}
    if any(name.endswith("_packed") for name in held):
        ModelCompressor.from_pretrained_model(model).decompress_model(model)
    values = {name: value.detach().clone().contiguous() for name, value in model.named_parameters()}
    save_file(values, Path(out) / "values.safetensors")
    return {"logits": logits.tolist(), "going_on": going_on}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(main(**json.load(sys.stdin))))
