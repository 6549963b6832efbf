"""Pruning transcribed in float64, slowly; it shares no code with lineal."""

import numpy as np

from tests.builders import Array
from tests.reference import selection


def magnitude(model: Array, sparsity: float, scope: str) -> Array:
    """Han et al. 2015, with the share given instead of a threshold: the smallest become 0."""
    pruned = np.array(model).astype(np.float64)
    by_row = scope == "row" and pruned.ndim > 0
    groups = pruned.reshape(-1, pruned.shape[-1]) if by_row and pruned.size else pruned.reshape(1, -1)
    for group in groups:
        zeros = selection.count(sparsity, group.size)
        group[~selection.between(np.abs(group), zeros, group.size)] = 0.0
    return pruned
