"""Encoders and decoders of GGUF's block types in memory, one thread, beside llama.cpp's quantizer and gguf-py."""

import ctypes
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import gguf
import numpy as np
from gguf import GGMLQuantizationType

from lineal.checkpoint.codes.ggml import CODECS, Encoding, decode_blocks, encode_blocks
from lineal.checkpoint.headers.storage import BLOCKS, byte_length

_COLUMNS, _VALUES = 2048, 1 << 18
_RUNS = 5
_LEAST_SECONDS = 0.02
_LIBRARIES = Path(__file__).parents[1] / "build" / "peers"
INTRODUCTION = """
# What quantizing costs

`make bench-quantize`. Encoders: 262,144 normal values of standard deviation 0.02 in rows of 2048, in memory, one
thread, in turns; processor time, medians of 5, in millions of values a second. llama.cpp is the library that pip builds
for llama-cpp-python 0.3.36, without fused multiply-add; equal are the blocks that are its, byte for byte. *Fused* is
lineal rounding as GCC with fused multiply-add does. gguf-py 0.19.0 encodes five of the types.
"""


@final
@dataclass(frozen=True)
class LlamaCpp:
    """Its quantizer of one process."""

    library: ctypes.CDLL

    def encode(self, values: Any, dtype: str, raw: Any, importance: Any) -> None:
        weights = None if importance is None else ctypes.c_void_p(importance.ctypes.data)
        pointers = ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(raw.ctypes.data)
        rows, columns = (ctypes.c_int64(n) for n in values.shape)
        self.library.ggml_quantize_chunk(
            int(GGMLQuantizationType[dtype]), *pointers, ctypes.c_int64(0), rows, columns, weights
        )


def llama_cpp() -> LlamaCpp | None:
    """As `make test-peers` builds it; None where that has not been done."""
    found = next(iter(sorted(_LIBRARIES.glob("lib/python3*/site-packages/llama_cpp/lib/libggml-base.so"))), None)
    if found is None:
        return None
    library = ctypes.CDLL(str(found))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return LlamaCpp(library)


def speeds(*tasks: Callable[[], object]) -> list[float]:
    """Millions of values a second of each, in turns."""
    taken: list[list[float]] = [[] for _ in tasks]
    for _ in range(_RUNS):
        for task, seconds in zip(tasks, taken, strict=True):
            start, times = time.thread_time(), 0
            while times == 0 or time.thread_time() - start < _LEAST_SECONDS:
                task()
                times += 1
            seconds.append((time.thread_time() - start) / times)
    return [_VALUES / statistics.median(seconds) / 1e6 for seconds in taken]


def encoders(peer: LlamaCpp | None) -> str:
    lines = ["| type | importance | lineal | llama.cpp | times | equal blocks | fused | gguf-py | times |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    random = np.random.default_rng(0)
    values = (random.standard_normal((_VALUES // _COLUMNS, _COLUMNS)) * 0.02).astype(np.float32)
    weights = random.chisquare(1, _COLUMNS).astype(np.float32)
    for dtype in sorted(CODECS):
        for importance in (None, weights):
            lines.append(_encoder(values, dtype, importance, peer))
            print(lines[-1], flush=True)
    return "\n".join(lines)


def _encoder(values: Any, dtype: str, importance: Any, peer: LlamaCpp | None) -> str:
    ours, theirs = (np.empty(byte_length(dtype, values.size), np.uint8) for _ in range(2))
    flat, cells = values.reshape(-1), ["-"] * 7
    tasks: list[Callable[[], object]] = [
        lambda: encode_blocks(flat, dtype, theirs, Encoding(importance, fused=True)),
        lambda: encode_blocks(flat, dtype, ours, Encoding(importance)),
    ]
    if peer is not None:
        tasks.append(lambda: peer.encode(values, dtype, theirs, importance))
    fused, plain, *others = speeds(*tasks)
    cells[0], cells[4] = f"{plain:.0f}", f"{fused:.0f}"
    if peer is not None:
        size = BLOCKS[dtype][1]
        equal = (ours.reshape(-1, size) == theirs.reshape(-1, size)).all(1)
        cells[1:4] = f"{others[0]:.1f}", f"{plain / others[0]:.1f}", f"{equal.sum()} of {equal.size}"
    if importance is None and dtype in {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"}:
        by_gguf, again = speeds(lambda: gguf.quants.quantize(values, GGMLQuantizationType[dtype]), tasks[1])
        cells[5:7] = f"{by_gguf:.0f}", f"{again / by_gguf:.1f}"
    return f"| {dtype} | {'no' if importance is None else 'yes'} | {' | '.join(cells)} |"


def decoders() -> str:
    lines = ["| decoding | lineal | gguf-py | times |", "|---|---|---|---|"]
    values = (np.random.default_rng(0).standard_normal(_VALUES) * 0.02).astype(np.float32)
    for dtype in sorted(CODECS):
        raw, out = np.empty(byte_length(dtype, _VALUES), np.uint8), np.empty(_VALUES, np.float32)
        encode_blocks(values, dtype, raw)
        ours, by_gguf = speeds(
            lambda raw=raw, out=out, dtype=dtype: decode_blocks(raw, dtype, out),
            lambda raw=raw, dtype=dtype: gguf.quants.dequantize(raw, GGMLQuantizationType[dtype]),
        )
        lines.append(f"| {dtype} | {ours:.0f} | {by_gguf:.0f} | {ours / by_gguf:.0f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def measured() -> str:
    load = os.getloadavg()[0]
    return f"Load {load:.1f} at the start.\n\n{encoders(llama_cpp())}\n\n{decoders()}\n"
