"""Runs in the peers' environment: llama.cpp's own quantizer on many small files, with all that its command line takes.

stdin: a list of {"source", "target": paths, "file_type": number, "importances": {tensor: weights} or null;
"patterns": [[expression, ggml type's number]], "output", "embedding": numbers of ggml types, or null}
"""

import ctypes
import json
import sys
from typing import Any

import llama_cpp


def quantize(job: dict[str, Any]) -> None:
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.nthread = job["file_type"], 1
    if job["output"] is not None:
        options.output_tensor_type = job["output"]
    if job["embedding"] is not None:
        options.token_embedding_type = job["embedding"]
    given = job["importances"] or {}
    matrix = (llama_cpp.llama_model_imatrix_data * (len(given) + 1))()
    for entry, (name, weights) in zip(matrix, given.items(), strict=False):
        entry.name, entry.data, entry.size = name.encode(), (ctypes.c_float * len(weights))(*weights), len(weights)
    if given:
        options.imatrix = matrix
    wishes = (llama_cpp.llama_model_tensor_override * (len(job["patterns"]) + 1))()
    for wish, (pattern, kind) in zip(wishes, job["patterns"], strict=False):
        wish.pattern, wish.type = pattern.encode(), kind
    if job["patterns"]:
        options.tt_overrides = wishes
    if llama_cpp.llama_model_quantize(job["source"].encode(), job["target"].encode(), options):
        raise SystemExit(f"llama.cpp did not quantize {job['source']}")


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        quantize(each)
