"""AWQ and SmoothQuant transcribed in float64 from their equations; shares no code with lineal."""

from collections.abc import Sequence

import numpy as np

from tests.builders import Array
from tests.reference.gptq import nearest, rounded, scale_and_zero


def column_scales(
    weights: Sequence[Array], inputs: Array, magnitudes: Array, bits: int, group: int, steps: int, *, symmetric: bool
) -> Array:
    """Lin et al. 2023, equations 4 and 5: s = s_X^a, argmin over a of ||Q(W diag(s)) diag(s)^-1 X - W X||^2.

    The largest scale times the smallest is 1.
    """
    best, least = np.ones(len(magnitudes)), np.inf
    for step in range(steps):
        s = magnitudes.astype(np.float64) ** (step / steps)
        s = s / np.sqrt(s.max() * s.min())
        loss = 0.0
        for weight in weights:
            moved = rounded(weight * s, bits, group, symmetric=symmetric) / s - weight
            loss += float(np.square(moved @ inputs.astype(np.float64).T).sum())
        if loss < least:
            best, least = s, loss
    return best


def clipped_error(weight: Array, inputs: Array, share: float, bits: int, *, symmetric: bool) -> Array:
    """Of each row of one group, the squares of its outputs' errors where its range is cut to a share of it."""
    weight = weight.astype(np.float64)
    scale, zero = scale_and_zero(weight * share, bits, symmetric=symmetric)
    stored = np.stack([nearest(column, scale, zero, bits) for column in weight.T], 1)
    return np.square((stored - weight) @ inputs.astype(np.float64).T).sum(1)


def smoothing(weights: Sequence[Array], inputs: Array, alpha: float) -> Array:
    """Xiao et al. 2022, equation 4: s_j = max|X_j|^alpha / max|W_j|^(1 - alpha)."""
    largest = np.abs(np.concatenate(list(weights))).max(0).astype(np.float64)
    return np.abs(inputs).max(0).astype(np.float64) ** alpha / largest ** (1 - alpha)
