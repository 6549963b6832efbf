"""One combination of models, or of task vectors added to the base, in float64 and rounded once."""

from typing import Any

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Float64s
from lineal.methods.streaming import Emit

_CHUNK = 2048


def emit_combination(shares: Any) -> Emit:
    """The last sweep of a method that knows every model's share, float64 [models]."""
    return Emit(lambda block: combine(block.base, block.models, shares, 0, block.out.size, block.out))


@kernel
def combine(base: Float32s, models: Float32Rows, shares: Float64s, first: int, last: int, out: Float32s) -> None:
    """Fill elements `first` up to `last` of `out`: the base, where there is one, plus share times what differs."""
    total = np.empty(_CHUNK)
    for start in range(first, last, _CHUNK):  # each loop below stays in the first-level cache and vectorizes
        child = out[start : min(start + _CHUNK, last)]
        origin = base[start : start + child.size]
        for i in range(child.size):
            total[i] = np.float64(origin[i]) if base.size else 0.0
        for m in range(shares.size):
            share, model = shares[m], models[m, start : start + child.size]
            for i in range(child.size):
                total[i] += share * (np.float64(model[i]) - (np.float64(origin[i]) if base.size else 0.0))
        for i in range(child.size):
            child[i] = total[i]
