"""Sign consensus of TIES: elect each entry's sign by mass, then combine the task vectors that agree with it."""

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s

_NO_WEIGHT = np.float32(1e-8)
_CHUNK = 2048


@kernel
def combine_agreeing(
    base: Float32s,
    vectors: Float32Rows,
    votes: Float32s,
    weights: Float32s,
    scale: np.float32,
    normalize: bool,
    out: Float32s,
) -> None:
    """base + scale * (sum of the agreeing weighted vectors) / (sum of their weights, where normalized).

    vectors: trimmed task vectors, [models, n]; votes: what each weighs in the election, which for TIES is its weight.
    An entry's sign is that of the sum of votes times vectors; where the sum is 0 it counts as positive. Trimmed
    entries agree with neither sign.
    """
    sign, weight = np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.float32)
    for start in range(0, out.size, _CHUNK):  # each loop below stays in the first-level cache and vectorizes
        total = out[start : start + _CHUNK]
        origin = base[start : start + _CHUNK]
        sign[:], weight[:], total[:] = 0, 0, 0
        for m in range(weights.size):
            vote, vector = votes[m], vectors[m, start : start + _CHUNK]
            for i in range(total.size):
                sign[i] += vote * vector[i]
        for i in range(total.size):
            sign[i] = np.float32(1) if sign[i] >= 0 else np.float32(-1)
        for m in range(weights.size):
            w, vector = weights[m], vectors[m, start : start + _CHUNK]
            for i in range(total.size):
                agreeing = w * vector[i] * sign[i]  # positive where this vector has the elected sign
                total[i] += max(agreeing, np.float32(0))
                weight[i] += w if agreeing > 0 else np.float32(0)
        if normalize:
            for i in range(total.size):
                total[i] /= weight[i] if abs(weight[i]) >= _NO_WEIGHT else np.float32(1)
        for i in range(total.size):
            total[i] = origin[i] + scale * (sign[i] * total[i])
