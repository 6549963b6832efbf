#!/usr/bin/env bash
# llama.cpp (llama-cpp-python 0.3.36): an importance matrix of ones gives other blocks than none, with less error.
#
# Guess: importances weigh the columns against each other, so equal ones say nothing: the bytes are those without a
# matrix. Or, if not, then a mistake somewhere, which costs quality.
# Seen: of all types but Q8_0 hardly a block is the same. With a matrix other searches run, which try more scales; with
# ones for weights the plain squared error falls by a tenth in Q4_0 and Q5_0, by a fifth in Q4_1, Q5_1 and Q2_K, by 2 to
# 8 percent in the other K-quants and in IQ4. No text was read for it: who has no calibration data still gains by ones.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check llama-cpp-python==0.3.36 gguf==0.19.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PY'
import ctypes
import pathlib

import gguf
import llama_cpp
import numpy as np
from gguf import GGMLQuantizationType as Type

library = ctypes.CDLL(str(next((pathlib.Path(llama_cpp.__file__).parent / "lib").glob("libggml-base.*"))))
library.ggml_quantize_chunk.restype = ctypes.c_size_t
library.ggml_quantize_chunk.argtypes = [ctypes.c_int] + [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
ROWS, COLUMNS = 64, 1024
weights = (np.random.default_rng(0).standard_normal((ROWS, COLUMNS)) * 0.02).astype(np.float32)
ones = np.ones(COLUMNS, np.float32)


def quantized(kind, importances):
    """The blocks, and their mean squared error."""
    each, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.zeros((ROWS, COLUMNS // each * size), np.uint8)
    matrix = None if importances is None else importances.ctypes.data
    library.ggml_quantize_chunk(int(kind), weights.ctypes.data, blocks.ctypes.data, 0, ROWS, COLUMNS, matrix)
    error = gguf.dequantize(blocks, kind).astype(np.float64) - weights
    return blocks.reshape(-1, size), float(np.mean(error**2))


print("type      equal blocks   error with ones / without")
for name in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"):
    (plain, without), (weighted, with_ones) = (quantized(Type[name], given) for given in (None, ones))
    equal = float((plain == weighted).all(axis=1).mean())
    print(f"{name:8} {100 * equal:10.1f} % {with_ones / without:14.3f}")
    if name == "Q8_0":
        assert equal == 1, "Q8_0 uses the matrix now"
    else:
        assert equal < 0.1, f"{name}: a matrix of ones gives the blocks of none"
        assert with_ones < without, f"{name}: a matrix of ones costs quality"
    if name in ("Q4_1", "Q5_1", "Q2_K"):
        assert with_ones < 0.85 * without, f"{name}: ones gain less than they did"
PY
