"""Runs in the peers' environment: llama.cpp's own quantizer, from a GGUF of any types to another.

stdin: {"source": path, "target": path, "file_type": number, "in_parts": as the source is}
"""

import json
import sys

import llama_cpp


def requantize(source: str, target: str, file_type: int, in_parts: bool) -> None:
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.nthread, options.allow_requantize = file_type, 1, True
    options.keep_split = in_parts
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), options):
        raise SystemExit(f"llama.cpp did not quantize {source}")


if __name__ == "__main__":
    requantize(**json.load(sys.stdin))
