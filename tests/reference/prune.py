"""Pruning transcribed in float64, slowly, with Python's stable sort; it shares no code with lineal."""

import math

import numpy as np

from tests.builders import Array


def magnitude(model: Array, sparsity: float, scope: str) -> Array:
    """Han et al. 2015, with the share given instead of a threshold: the smallest become 0, of equal ones the first."""
    pruned = np.array(model).astype(np.float64)
    by_row = scope == "row" and pruned.ndim > 0
    groups = pruned.reshape(-1, pruned.shape[-1]) if by_row and pruned.size else pruned.reshape(1, -1)
    for group in groups:
        ordered = sorted(range(group.size), key=lambda index: abs(group[index]))
        for index in ordered[: math.floor(sparsity * group.size)]:
            group[index] = 0.0
    return pruned
