#!/usr/bin/env bash
# llama.cpp (llama-cpp-python 0.3.36): twice the weights are not quantized to twice the values, at ordinary magnitudes.
#
# Guess: a block is scales and codes, and a factor of two is exact in every float. So doubled weights get doubled scales
# and the same codes, short of overflow; 0.02, the usual deviation of a model's weights, is far from any limit.
# Seen: true of Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, Q2_K, Q3_K and Q4_K. About half of the blocks of Q5_K, Q6_K and
# IQ4_XS come out otherwise. Their scale is a float16 for a whole block that is multiplied by a smaller integer scale, so
# at 0.02 it is already a subnormal number with fewer digits: Q6_K's is about 1.5e-5, in steps of 6e-8.
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


def blocks(kind, values):
    each, size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.zeros((ROWS, COLUMNS // each * size), np.uint8)
    library.ggml_quantize_chunk(int(kind), values.ctypes.data, raw.ctypes.data, 0, ROWS, COLUMNS, None)
    return raw


def values(kind, raw):
    return gguf.dequantize(raw, kind).reshape(-1, gguf.GGML_QUANT_SIZES[kind][0])


print("type      blocks whose values double")
for name in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"):
    kind = Type[name]
    once, twice = values(kind, blocks(kind, weights)), values(kind, blocks(kind, 2 * weights))
    share = float((twice == 2 * once).all(axis=1).mean())
    print(f"{name:8} {100 * share:10.1f} %")
    if name in ("Q5_K", "Q6_K", "IQ4_XS"):
        assert 0.2 < share < 0.8, f"{name}: {share} of the blocks double"
    else:
        assert share == 1, f"{name}: {share} of the blocks double"
scales = blocks(Type.Q6_K, weights).reshape(-1, 210)[:, 208:].copy().view(np.float16).astype(np.float64)
print(f"Q6_K's scales: {np.abs(scales).min():.2e} to {np.abs(scales).max():.2e}; float16 is subnormal below 6.10e-05")
assert np.abs(scales).max() < 2.0**-14, "Q6_K's scales are normal numbers"
PY
