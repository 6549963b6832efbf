"""bitsandbytes' layouts transcribed in numpy: a matrix as it is saved, and what is read of that, in float32.

Source: Dettmers et al. 2023, "QLoRA"; what bitsandbytes 0.50 writes. Codes are chosen here by the nearest level.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.builders import Array

Stored = dict[str, Array]

_HALVES = {
    "nf4": [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
        *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
        *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ],
    "fp4": [sign * level / 12 for sign in (1, -1) for level in (0, 0.0625, 8, 12, 4, 6, 2, 3)],
}
NESTED = (np.arange(256, dtype=np.float32) / 127.5 - 1).astype(np.float32)
"""Levels for the codes of scales: any will do, since they are stored."""


def four_bits(
    name: str, values: Array, kind: str = "nf4", *, block: int = 64, nested: bool = False, storage: Any = np.uint8
) -> tuple[Stored, Array]:
    levels = np.array(_HALVES[kind], np.float32)
    flat = values.astype(np.float32).reshape(-1)
    blocks = -(-flat.size // block)
    padded = np.zeros(blocks * block, np.float32)
    padded[: flat.size] = flat
    absmax = abs(padded.reshape(blocks, block)).max(1)
    state: dict[str, Any] = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": list(values.shape)}
    tensors: Stored = {f"{name}.quant_map": levels}
    if nested:
        scales, more, absmax = _nested(absmax, 32)
        tensors |= {f"{name}.{key}": tensor for key, tensor in more.items()}
        tensors[f"{name}.absmax"] = scales
        state |= {"nested_blocksize": 32, "nested_dtype": "float32", "nested_offset": 0.75}
    else:
        tensors[f"{name}.absmax"] = absmax
    each = np.repeat(absmax, block)[: flat.size]
    codes = abs(flat[:, None] / np.where(each == 0, 1, each)[:, None] - levels).argmin(1).astype(np.uint8)
    tensors[name] = (codes[::2] << 4 | codes[1::2]).view(storage).reshape(-1, 1)
    tensors[f"{name}.quant_state.bitsandbytes__{kind}"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    return tensors, (levels[codes] * each).reshape(values.shape)


def _nested(absmax: Array, block: int) -> tuple[Array, Stored, Array]:
    """Codes of scales, what they need, and the scales that are read of them: level * absmax + offset."""
    offset = np.float32(0.75)
    around = absmax - offset
    blocks = -(-absmax.size // block)
    largest = np.array([abs(around[block * b : block * (b + 1)]).max() for b in range(blocks)], np.float32)
    each = np.repeat(largest, block)[: absmax.size]
    codes = abs(around[:, None] / each[:, None] - NESTED).argmin(1).astype(np.uint8)
    return codes, {"nested_absmax": largest, "nested_quant_map": NESTED}, NESTED[codes] * each + offset


def int8(name: str, values: Array) -> tuple[Stored, Array]:
    wide = values.astype(np.float32)
    largest = abs(wide).max(1)
    codes = np.rint(wide * (127 / largest[:, None])).astype(np.int8)
    stem = name.removesuffix("weight")
    tensors = {name: codes, f"{stem}SCB": largest, f"{stem}weight_format": np.array(0, np.uint8)}
    return tensors, codes.astype(np.float32) * largest[:, None] * np.float32(1 / 127)


SETTINGS: Mapping[str, Mapping[str, Any]] = {
    **{
        kind: {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind}
        for kind in ("nf4", "fp4")
    },
    "int8": {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True},
}
