"""The layouts of GPTQ and AWQ transcribed in numpy: a matrix as it is saved, and what is read of that, in float32.

Source: what AutoGPTQ, gptqmodel 7.7 and AutoAWQ write. Integers are rounded to nearest between least and largest value.
"""

from typing import Any

import numpy as np

from tests.builders import Array

Stored = dict[str, Array]

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""The column whose code lies at each place of a word."""


def gptq(
    name: str, values: Array, bits: int = 4, *, size: int = 32, order: bool = False, v1: bool = True, sym: bool = False
) -> tuple[Stored, Array]:
    """size: inputs a group; order: groups of inputs that do not follow each other (act-order)."""
    inputs = values.shape[1]
    groups = np.arange(inputs) // size
    if order:
        groups = groups[np.random.default_rng(inputs).permutation(inputs)]
    codes, scales, zeros = _rounded(values, groups, bits, sym=sym)
    stem = name.removesuffix("weight")
    packed = _stream(zeros, bits)
    if v1 and bits != 3:
        packed = packed - np.uint32(sum(1 << at for at in range(0, 32, bits)))  # borrows between codes, as writers do
    elif v1:
        packed = _stream((zeros - 1) % 8, bits)
    tensors = {
        f"{stem}qweight": _stream(codes, bits).T.copy().view(np.int32),
        f"{stem}qzeros": packed.view(np.int32),
        f"{stem}scales": scales,
        f"{stem}g_idx": groups.astype(np.int32),
    }
    return tensors, _read(codes, scales, zeros, groups)


def awq(name: str, values: Array, *, size: int = 32) -> tuple[Stored, Array]:
    groups = np.arange(values.shape[1]) // size
    codes, scales, zeros = _rounded(values, groups, 4, sym=False)
    stem = name.removesuffix("weight")
    tensors = {
        f"{stem}qweight": _in_words(codes.T).view(np.int32),
        f"{stem}qzeros": _in_words(zeros).view(np.int32),
        f"{stem}scales": scales,
    }
    return tensors, _read(codes, scales, zeros, groups)


def _rounded(values: Array, groups: Array, bits: int, *, sym: bool) -> tuple[Array, Array, Array]:
    """Codes [outputs, inputs], scales in float16 and zero points [groups, outputs]."""
    most = 2**bits - 1
    scales, zeros = [], []
    for group in range(groups.max() + 1):
        part = values[:, groups == group].astype(np.float64)
        low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
        if sym:
            high = np.maximum(-low, high)
            low = -high
        scale = np.maximum((high - low) / most, 1e-5).astype(np.float16)
        scales.append(scale)
        zeros.append(np.full(len(low), 2 ** (bits - 1)) if sym else np.clip(np.rint(-low / scale), 0, most))
    if not sym:
        zeros[0][::3] = 0  # where a writer borrows from the code beside it
    scale, zero = np.array(scales), np.array(zeros).astype(np.int64)
    codes = np.clip(np.rint(values / scale[groups].T.astype(np.float64)) + zero[groups].T, 0, most)
    return codes.astype(np.int64), scale, zero


def _read(codes: Array, scales: Array, zeros: Array, groups: Array) -> Array:
    return (codes - zeros[groups].T).astype(np.float32) * scales[groups].T.astype(np.float32)


def _stream(codes: Array, bits: int) -> Array:
    """[rows, codes] as words [rows, words]: code i begins at bit bits * i, the lowest of a word first."""
    rows, count = codes.shape
    words = np.zeros((rows, -(-count * bits // 32)), np.uint64)
    for i in range(count):
        at, shift = divmod(i * bits, 32)
        code = codes[:, i].astype(np.uint64) << np.uint64(shift)
        words[:, at] |= code & np.uint64(0xFFFFFFFF)
        if shift + bits > 32:
            words[:, at + 1] |= code >> np.uint64(32)
    return words.astype(np.uint32)


def _in_words(codes: Array) -> Array:
    """[rows, columns] as words of eight columns each, in AWQ's order."""
    words = np.zeros((len(codes), codes.shape[1] // 8), np.uint32)
    for place, column in enumerate(AWQ_ORDER):
        words |= codes[:, column::8].astype(np.uint32) << np.uint32(4 * place)
    return words


def gptq_settings(bits: int = 4, *, size: int = 32, order: bool = False, v1: bool = True, sym: bool = False) -> Any:
    form = "gptq" if v1 else "gptq_v2"
    settings = {"bits": bits, "group_size": size, "desc_act": order, "sym": sym, "checkpoint_format": form}
    return {"quant_method": "gptq", **settings}


AWQ_SETTINGS = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}
