"""compressed-tensors' storage in numpy and plain loops: what each form's tensors are worth, in float32."""

from typing import Any

import ml_dtypes
import numpy as np

F32 = np.float32
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], F32)


def unpacked(words: Any, bits: int, columns: int) -> Any:
    """Signed codes [rows, columns]: each row is one whole number, low words first."""
    rows = [int.from_bytes(row.tobytes(), "little") for row in words.astype("<i4")]
    mask, middle = (1 << bits) - 1, 1 << (bits - 1)
    return np.array([[((row >> (bits * i)) & mask) - middle for i in range(columns)] for row in rows], np.int64)


def worth_of_whole_numbers(tensors: dict[str, Any], layer: str, bits: int) -> Any:
    """pack-quantized; scales of groups, rows or the tensor, zero points packed down the rows."""
    rows, columns = tensors[f"{layer}.weight_shape"].tolist()
    codes = unpacked(tensors[f"{layer}.weight_packed"], bits, columns)
    scales = tensors[f"{layer}.weight_scale"].astype(F32)
    scales = scales.reshape(1, 1) if scales.ndim == 1 else scales
    zeros = np.zeros(scales.shape, np.int64)
    if f"{layer}.weight_zero_point" in tensors:
        zeros = unpacked(np.ascontiguousarray(tensors[f"{layer}.weight_zero_point"].T), bits, rows).T
    each = columns // scales.shape[1]
    spread = [np.repeat(np.broadcast_to(one, (rows, one.shape[1])), each, axis=1) for one in (scales, zeros)]
    return (codes - spread[1]).astype(F32) * spread[0]


def worth_of_bytes(tensors: dict[str, Any], layer: str, block: int | None = None) -> Any:
    """int-quantized and float-quantized."""
    codes, scales = tensors[f"{layer}.weight"].astype(F32), tensors[f"{layer}.weight_scale"].astype(F32)
    if block:
        scales = np.repeat(np.repeat(scales, block, axis=0), block, axis=1)[: codes.shape[0], : codes.shape[1]]
    return codes * scales


def worth_of_nibbles(tensors: dict[str, Any], layer: str) -> Any:
    """nvfp4-pack-quantized and mxfp4-pack-quantized."""
    packed, scales = tensors[f"{layer}.weight_packed"], tensors[f"{layer}.weight_scale"]
    values = E2M1[np.stack([packed & 15, packed >> 4], axis=2).reshape(len(packed), -1)]
    if f"{layer}.weight_global_scale" in tensors:
        spread = scales.astype(F32) / tensors[f"{layer}.weight_global_scale"]
        return values * np.repeat(spread, 16, axis=1)
    return values * np.repeat(np.ldexp(F32(1), scales.astype(np.int32) - 127), 32, axis=1)


def float8(values: Any, block: tuple[int, int], scale_dtype: Any) -> Any:
    """What float8 makes of values: a scale a block, its largest magnitude / 448."""
    out = np.empty_like(values)
    for r in range(0, values.shape[0], block[0]):
        for c in range(0, values.shape[1], block[1]):
            part = values[r : r + block[0], c : c + block[1]]
            scale = (np.abs(part).max() / F32(448)).astype(scale_dtype).astype(F32)
            codes = np.clip(part / scale, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(F32)
            out[r : r + block[0], c : c + block[1]] = codes * scale
    return out


def nvfp4(values: Any) -> Any:
    """A float8 scale for 16, spread by one number of the tensor: 448 * 6 / the largest magnitude."""
    number = F32(448 * 6) / np.abs(values).max()
    grouped = values.reshape(len(values), -1, 16)
    largest = np.abs(grouped).max(-1, keepdims=True)
    scales = np.minimum(number * (largest / F32(6)), F32(448)).astype(ml_dtypes.float8_e4m3fn).astype(F32) / number
    codes = np.clip(grouped / scales, -6, 6).astype(ml_dtypes.float4_e2m1fn).astype(F32)
    return (codes * scales).reshape(values.shape)


def mxfp4(values: Any) -> Any:
    """Powers of two a group of 32: that below the largest magnitude, from 1.75 times it on the next, over 4."""
    grouped = values.reshape(len(values), -1, 32)
    fraction, exponent = np.frexp(np.abs(grouped).max(-1, keepdims=True))
    scales = np.ldexp(F32(1), exponent - 1 + (fraction >= 0.875) - 2)
    codes = np.clip(grouped / scales, -6, 6).astype(ml_dtypes.float4_e2m1fn).astype(F32)
    return (codes * scales).reshape(values.shape)
