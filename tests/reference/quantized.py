"""Weights as codes, encoded slowly and plainly: Python's own integers as bit streams, tables written out.

Each form takes a weight [rows, columns] (experts: three dimensions), and gives the tensors that are stored of it and
the values that they stand for: codes minus zeros, times scales, one rounding of float32 each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from tests.builders import Array

E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
E2M3 = (*(m / 8 for m in range(8)), *((1 + m / 8) * 2**e for e in range(3) for m in range(8)))


class Stored(NamedTuple):
    """tensors: what is stored, by what follows the layer's name; values: float32, of the published shape."""

    tensors: dict[str, Array]
    values: Array


class Form(NamedTuple):
    """settings: the quantization_config; store: of a weight. published: what the weight is called in its layer."""

    settings: Mapping[str, Any]
    store: Callable[[Array], Stored]
    published: str = "weight"


def stream(codes: Sequence[int], bits: int, size: int) -> bytes:
    """Codes from the lowest bit on, filled up with zeros to whole words of `size` bytes."""
    number = sum(int(code) << (bits * place) for place, code in enumerate(codes))
    length = -(-len(codes) * bits // (8 * size)) * size
    return number.to_bytes(length, "little")


def words(codes: Array, bits: int) -> Array:
    """Signed codes [rows, columns], each row in int32 words of its own, with 2^(bits-1) added."""
    rows = [stream([int(code) + 2 ** (bits - 1) for code in row], bits, 4) for row in codes]
    return np.frombuffer(b"".join(rows), "<i4").reshape(len(rows), -1)


def spread(scales: Array, blocks: tuple[int, int], shape: tuple[int, ...]) -> Array:
    """One scale for each weight, of blocks of so many rows and columns."""
    down, across = blocks
    rows = np.repeat(scales, down, axis=-2)[..., : shape[-2], :]
    return np.repeat(rows, across, axis=-1)[..., : shape[-1]]


def largest(values: Array, blocks: tuple[int, int]) -> Array:
    """Of the magnitudes in each block, [rows / down, columns / across]; the last blocks may be cut off."""
    down, across = blocks
    rows, columns = values.shape
    parts = [
        [np.abs(values[r : r + down, c : c + across]).max() for c in range(0, columns, across)]
        for r in range(0, rows, down)
    ]
    return np.array(parts, np.float32)


def grouped(bits: int, group: int | None, dtype: Any = ml_dtypes.bfloat16, *, shuffled: bool = False) -> Form:
    """pack-quantized, symmetric; shuffled: columns belong to groups in another order, which is stored."""
    weights = {"num_bits": bits, "type": "int", "symmetric": True, "strategy": "group" if group else "channel"}
    weights |= {"group_size": group} | ({"actorder": "group"} if shuffled else {})

    def store(values: Array) -> Stored:
        rows, columns = values.shape
        width = group or columns
        order = np.arange(columns) // width
        if shuffled:
            np.random.default_rng(4).shuffle(order)
        sorted_columns = np.argsort(order, kind="stable")
        scales = (largest(values[:, sorted_columns], (1, width)) / (2 ** (bits - 1) - 0.5)).astype(dtype)
        wide = scales.astype(np.float32)[:, order]
        codes = np.clip(np.rint(values / wide), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int32)
        tensors = {
            "weight_packed": words(codes, bits),
            "weight_scale": scales,
            "weight_shape": np.array([rows, columns], np.int64),
            **({"weight_g_idx": order.astype(np.int32)} if shuffled else {}),
        }
        return Stored(tensors, codes.astype(np.float32) * wide)

    return Form(compressed("pack-quantized", weights), store)


def with_zeros(bits: int, group: int | None, dtype: Any = ml_dtypes.bfloat16) -> Form:
    """pack-quantized with zero points, which are packed down the rows."""
    weights = {"num_bits": bits, "type": "int", "symmetric": False, "strategy": "group" if group else "channel"}

    def store(values: Array) -> Stored:
        rows, columns = values.shape
        width, low = group or columns, -(2 ** (bits - 1))
        parts = values.reshape(rows, -1, width)
        scales = ((parts.max(-1) - parts.min(-1)) / (2**bits - 1)).astype(dtype)
        zeros = np.clip(np.rint(low - parts.min(-1) / scales.astype(np.float32)), low, -low - 1).astype(np.int32)
        wide = np.repeat(scales.astype(np.float32), width, axis=1)
        moved = np.repeat(zeros, width, axis=1)
        codes = np.clip(np.rint(values / wide) + moved, low, -low - 1).astype(np.int32)
        tensors = {
            "weight_packed": words(codes, bits),
            "weight_scale": scales,
            "weight_shape": np.array([rows, columns], np.int64),
            "weight_zero_point": np.ascontiguousarray(words(zeros.T, bits).T),
        }
        return Stored(tensors, (codes - moved).astype(np.float32) * wide)

    return Form(compressed("pack-quantized", {**weights, "group_size": group}), store)


def int8(strategy: str) -> Form:
    """int-quantized: codes as int8, which vLLM multiplies with activations in int8, too."""
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": strategy}

    def store(values: Array) -> Stored:
        rows, columns = values.shape
        blocks = (1 if strategy == "channel" else rows, columns)
        scales = (largest(values, blocks) / 127.5).astype(ml_dtypes.bfloat16)
        wide = spread(scales.astype(np.float32), blocks, values.shape)
        codes = np.clip(np.rint(values / wide), -128, 127).astype(np.int8)
        stored = scales.reshape(-1) if strategy == "tensor" else scales
        return Stored({"weight": codes, "weight_scale": stored}, codes.astype(np.float32) * wide)

    return Form(compressed("int-quantized", weights), store)


def float8(
    settings: Mapping[str, Any],
    blocks: tuple[int, int] | None,
    scale: str,
    dtype: Any = np.float32,
    published: str = "weight",
) -> Form:
    """Codes as float8 with a scale a block, row or tensor (None); scale: what its tensor is called in the layer."""

    def store(values: Array) -> Stored:
        rows, columns = values.shape[-2:]
        size = (rows, columns) if blocks is None else (blocks[0], min(blocks[1], columns))
        flat = values.reshape(-1, rows, columns)
        scales = np.stack([largest(one, size) for one in flat]) / np.float32(448)
        if dtype is ml_dtypes.float8_e8m0fnu:
            scales = 2.0 ** np.ceil(np.log2(scales))
        kept = scales.astype(dtype)
        wide = spread(kept.astype(np.float32), size, flat.shape)
        codes = np.clip(flat / wide, -448, 448).astype(ml_dtypes.float8_e4m3fn)
        tensor = kept.reshape((1,) if blocks is None else (*values.shape[:-2], *kept.shape[1:]))
        if dtype is ml_dtypes.float8_e8m0fnu and scale == "weight_scale":
            tensor = tensor.view(np.uint8)
        found = (codes.astype(np.float32) * wide).reshape(values.shape)
        return Stored({published: codes.reshape(values.shape), scale: tensor}, found)

    return Form(settings, store, published)


def nearest(values: Array, magnitudes: Sequence[float], sign: int) -> Array:
    """The codes of the nearest values of a table; sign: the bit of negative ones."""
    table = np.array(magnitudes, np.float32)
    codes = np.abs(np.abs(values)[..., None] - table).argmin(-1)
    return np.where(np.signbit(values), codes | sign, codes)


def small_floats(form: str, bits: int, group: int) -> Form:
    """MXFP4, MXFP6 and NVFP4 of compressed-tensors."""
    weights = {"num_bits": bits, "type": "float", "symmetric": True, "group_size": group}
    weights |= {"strategy": "tensor_group" if group == 16 else "group"}
    magnitudes = np.array(E2M1 if bits == 4 else E2M3, np.float32)

    def store(values: Array) -> Stored:
        rows, _ = values.shape
        divisor = np.float32(448 * 6 / np.abs(values).max())
        peaks = largest(values, (1, group)) / magnitudes[-1]
        if group == 16:
            scales = (peaks * divisor).astype(ml_dtypes.float8_e4m3fn)
            wide = scales.astype(np.float32) / divisor
            beside = {"weight_scale": scales, "weight_global_scale": np.array([divisor], np.float32)}
        else:
            exponents = np.ceil(np.log2(peaks)).astype(int)
            wide = (2.0**exponents).astype(np.float32)
            beside = {"weight_scale": (exponents + 127).astype(np.uint8)}
        wide = np.repeat(wide, group, axis=1)
        codes = nearest(values / wide, list(magnitudes), len(magnitudes))
        packed = np.frombuffer(stream(codes.reshape(-1).tolist(), bits, 1), np.uint8).reshape(rows, -1)
        table = np.concatenate([magnitudes, -magnitudes])
        return Stored({"weight_packed": packed, **beside}, table[codes] * wide)

    return Form(compressed(form, weights), store)


def mxfp4_experts(scale: str) -> Form:
    """MXFP4 of DeepSeek-V4's experts: nibbles as int8, exponents as F8_E8M0."""

    def store(values: Array) -> Stored:
        found = small_floats("mxfp4-pack-quantized", 4, 32).store(values)
        exponents = found.tensors["weight_scale"].view(ml_dtypes.float8_e8m0fnu)
        return Stored({"weight": found.tensors["weight_packed"].view(np.int8), scale: exponents}, found.values)

    settings = {"quant_method": "fp8", "weight_block_size": [128, 128], "scale_fmt": "ue8m0"}
    return Form(settings, store)


def gpt_oss(published: str) -> Form:
    """MXFP4 of GPT-OSS: a weight [experts, columns, rows] is stored as [experts, rows, groups, 16] bytes."""

    def store(values: Array) -> Stored:
        stored = np.ascontiguousarray(values.swapaxes(1, 2))
        experts, rows, columns = stored.shape
        found = small_floats("mxfp4-pack-quantized", 4, 32).store(stored.reshape(-1, columns))
        tensors = {
            f"{published}_blocks": found.tensors["weight_packed"].reshape(experts, rows, columns // 32, 16),
            f"{published}_scales": found.tensors["weight_scale"].reshape(experts, rows, columns // 32),
        }
        return Stored(tensors, found.values.reshape(stored.shape).swapaxes(1, 2))

    return Form({"quant_method": "mxfp4"}, store, published)


def compressed(form: str, weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """A quantization_config as compressed-tensors writes it."""
    group = {"targets": ["Linear"], "weights": dict(weights), "input_activations": None, "format": form}
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {"group_0": group},
        "ignore": ["lm_head"],
    }


FINE_GRAINED = {"quant_method": "fp8", "weight_block_size": [32, 48]}
FLOAT8 = {"num_bits": 8, "type": "float", "symmetric": True}

FORMS: Mapping[str, Form] = {
    **{f"w{bits}a16": grouped(bits, 32) for bits in range(2, 9)},
    **{f"w{bits}a16 of rows": grouped(bits, None, np.float16) for bits in range(2, 9)},
    **{f"w{bits}a16 with zeros": with_zeros(bits, 32) for bits in (2, 3, 4, 5, 8)},
    "w4a16 of rows with zeros": with_zeros(4, None, np.float32),
    "w4a16 in another order": grouped(4, 32, shuffled=True),
    "w8a8": int8("channel"),
    "w8a8 of a tensor": int8("tensor"),
    "fp8": float8(compressed("float-quantized", {**FLOAT8, "strategy": "tensor"}), None, "weight_scale"),
    "fp8 of rows": float8(
        compressed("naive-quantized", {**FLOAT8, "strategy": "channel"}), (1, 2**20), "weight_scale", ml_dtypes.bfloat16
    ),
    "fp8 of blocks": float8(
        compressed("float-quantized", {**FLOAT8, "strategy": "block", "block_structure": [32, 48]}),
        (32, 48),
        "weight_scale",
    ),
    "mxfp8": float8(
        compressed("mxfp8-quantized", {**FLOAT8, "strategy": "group", "group_size": 32}),
        (1, 32),
        "weight_scale",
        ml_dtypes.float8_e8m0fnu,
    ),
    "mxfp4": small_floats("mxfp4-pack-quantized", 4, 32),
    "mxfp6": small_floats("mxfp6-pack-quantized", 6, 32),
    "nvfp4": small_floats("nvfp4-pack-quantized", 4, 16),
    "weight_scale_inv": float8(FINE_GRAINED, (32, 48), "weight_scale_inv"),
    "weight_scale_inv of a tensor": float8({"quant_method": "fp8"}, None, "weight_scale_inv"),
    "fbgemm": float8({"quant_method": "fbgemm_fp8"}, (1, 2**20), "weight_scale"),
    ".scale": float8(FINE_GRAINED, (32, 48), "scale", ml_dtypes.float8_e8m0fnu),
    ".qscale_weight": float8({"quant_method": "fp8"}, None, "qscale_weight", ml_dtypes.bfloat16),
    "experts as MXFP4 in int8": mxfp4_experts("scale"),
    "experts of float8": float8(
        FINE_GRAINED, (32, 48), "experts.gate_up_proj_scale_inv", published="experts.gate_up_proj"
    ),
    "gpt-oss": gpt_oss("experts.gate_up_proj"),
}
"""Every form that is met, by what its test is called."""
