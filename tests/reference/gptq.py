"""GPTQ transcribed in float64 as Optimal Brain Quantization's equations stand, column by column, by inverses.

Frantar et al. 2022, section 3 ("Background" and step 1): with F the columns that are not quantized yet, column q of
every row is rounded, and w_F -= (w_q - quant(w_q)) / [H_F^-1]_qq * (H_F^-1)_q,: . H_F is inverted for every column
anew. Nothing is lazy, in blocks, or by Cholesky's decomposition, and no code is shared with lineal.
"""

from typing import Any

import ml_dtypes
import numpy as np

from tests.builders import Array


def scale_and_zero(values: Array, bits: int, *, symmetric: bool) -> tuple[Array, Array]:
    """Of each row, from its smallest to its largest value; scales are rounded to bfloat16."""
    low, high = np.minimum(values.min(1), 0), np.maximum(values.max(1), 0)
    width = 2 * np.abs(values).max(1) if symmetric else high - low
    scale = (width / (2**bits - 1)).astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)
    scale[scale == 0] = 1
    zero = np.zeros_like(scale) if symmetric else np.round(-(2 ** (bits - 1)) - low / scale)
    return scale, zero


def nearest(column: Array, scale: Array, zero: Array, bits: int) -> Array:
    code = np.clip(np.round(column / scale + zero), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (code - zero) * scale


def rounded(weight: Array, bits: int, group: int, *, symmetric: bool) -> Array:
    """Round-to-nearest."""
    out = np.array(weight, np.float64)
    for start in range(0, out.shape[1], group):
        scale, zero = scale_and_zero(out[:, start : start + group], bits, symmetric=symmetric)
        for j in range(start, start + group):
            out[:, j] = nearest(out[:, j], scale, zero, bits)
    return out


def gptq(
    weight: Array,
    hessian: Array,
    bits: int,
    group: int,
    *,
    symmetric: bool,
    static_groups: bool,
    act_order: bool,
    damping: float,
) -> Array:
    """The weight as it is stored, in float64. hessian: the sum of x x^T, which a factor of 2 changes nothing in."""
    w, h = np.array(weight, np.float64), np.array(hessian, np.float64)
    columns = w.shape[1]
    diagonal = h.diagonal().copy()
    dead = diagonal == 0
    w[:, dead] = 0
    h[dead, dead] = 1
    h[np.diag_indices(columns)] += damping * diagonal[~dead].mean()
    order = np.argsort(-diagonal, kind="stable") if act_order else np.arange(columns)
    fixed = static_groups or act_order or group == columns
    scales: dict[int, Any] = {
        g: scale_and_zero(w[:, g * group : (g + 1) * group], bits, symmetric=symmetric) for g in range(columns // group)
    }
    out = np.zeros_like(w)
    for place, q in enumerate(order):
        remaining = order[place:]
        if not fixed and q % group == 0:
            scales[q // group] = scale_and_zero(w[:, q : q + group], bits, symmetric=symmetric)
        inverse = np.linalg.inv(h[np.ix_(remaining, remaining)])
        out[:, q] = nearest(w[:, q], *scales[q // group], bits)
        error = (w[:, q] - out[:, q]) / inverse[0, 0]
        w[:, remaining] -= np.outer(error, inverse[0])
    return out


def output_error(weight: Array, stored: Array, hessian: Array) -> float:
    """The squares of what all outputs together are away from the weight's: tr((W - Q) H (W - Q)^T)."""
    moved = np.asarray(stored, np.float64) - np.asarray(weight, np.float64)
    return float(np.einsum("ri,ij,rj->", moved, np.asarray(hessian, np.float64), moved, optimize=True))
