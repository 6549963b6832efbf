"""Runs in the peers' environment, without lineal, torch or transformers: what llama.cpp multiplies by matrices.

stdin: {"model": path, "chunks": [[ids]...], "out": path.npz}; the file holds for each matrix NAME in a block
NAME.sums, the squares of its inputs summed, [experts, columns] in float64, and NAME.counts, of inputs, [experts].
"""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

LIBRARIES = Path(llama_cpp.__file__).parent / "lib"
BASE = ctypes.CDLL(str(next(LIBRARIES.glob("libggml-base.*"))))
BASE.ggml_op_name.restype = ctypes.c_char_p
F32, ALL = 0, 1


class Tensor(ctypes.Structure):
    """struct ggml_tensor of ggml.h."""


Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


def array(tensor: Any, kind: Any) -> Any:
    """A tensor's values, [ne3, ne2, ne1, ne0]."""
    size = np.dtype(kind).itemsize
    shape, strides = tuple(tensor.ne)[::-1], tuple(tensor.nb)[::-1]
    length = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + size
    raw = np.ctypeslib.as_array(ctypes.cast(tensor.data, ctypes.POINTER(ctypes.c_uint8)), (length,))
    return np.lib.stride_tricks.as_strided(raw[:size].view(kind), shape, strides).copy()


class Sums:
    def __init__(self) -> None:
        self.sums: dict[str, Any] = {}
        self.counts: dict[str, Any] = {}

    def __call__(self, pointer: Any, ask: bool, _: Any) -> bool:
        tensor = ctypes.cast(pointer, ctypes.POINTER(Tensor)).contents
        kind = BASE.ggml_op_name(tensor.op).decode()
        if kind not in {"MUL_MAT", "MUL_MAT_ID"}:
            return not ask
        weight, inputs = tensor.src[0].contents, tensor.src[1].contents
        name = weight.name.decode()
        if not name.startswith("blk.") or inputs.type != F32:
            return not ask
        if not ask:
            self.add(name, weight, array(inputs, np.float32)[0], tensor, kind)
        return True

    def add(self, name: str, weight: Any, inputs: Any, tensor: Any, kind: str) -> None:
        experts = weight.ne[2]
        sums = self.sums.setdefault(name, np.zeros((experts, inputs.shape[-1])))
        counts = self.counts.setdefault(name, np.zeros(experts, np.int64))
        if kind == "MUL_MAT":
            rows = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
            sums[0] += (rows**2).sum(0)
            counts[0] += len(rows)
            return
        chosen = array(tensor.src[2].contents, np.int32)[0, 0]  # [tokens, experts a token]
        for token, experts_of_token in enumerate(chosen):
            for place, expert in enumerate(experts_of_token):
                sums[expert] += inputs[token, place % inputs.shape[1]].astype(np.float64) ** 2
                counts[expert] += 1


def measure(model: str, chunks: list[list[int]], out: str) -> None:
    found = Sums()
    callback = llama_cpp.ggml_backend_sched_eval_callback(found)
    llama_cpp.llama_backend_init()
    loaded = llama_cpp.llama_model_load_from_file(model.encode(), llama_cpp.llama_model_default_params())
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max(256, len(chunks[0]))
    parameters.n_threads = parameters.n_threads_batch = 1
    parameters.type_k = parameters.type_v = F32
    parameters.cb_eval = callback
    context = llama_cpp.llama_init_from_model(loaded, parameters)
    for chunk in chunks:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        batch = llama_cpp.llama_batch_init(len(chunk), 0, 1)
        batch.n_tokens = len(chunk)
        for place, token in enumerate(chunk):
            batch.token[place], batch.pos[place], batch.logits[place] = token, place, ALL
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
        assert llama_cpp.llama_decode(context, batch) == 0
        llama_cpp.llama_batch_free(batch)
    named = {f"{name}.sums": sums for name, sums in found.sums.items()}
    np.savez(out, **named, **{f"{name}.counts": counts for name, counts in found.counts.items()})


if __name__ == "__main__":
    measure(**json.load(sys.stdin))
