"""Runs in the peers' environment: llama.cpp's own quantizer, from one GGUF to another.

stdin: {"source": path, "target": path, "file_type": number, "threads": number, 1 if it is left out}
"""

import json
import sys

import llama_cpp


def quantize(source: str, target: str, file_type: int, threads: int = 1) -> None:
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.nthread = file_type, threads
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), options):
        raise SystemExit(f"llama.cpp did not quantize {source}")


if __name__ == "__main__":
    quantize(**json.load(sys.stdin))
