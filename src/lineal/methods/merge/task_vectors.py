"""How task vectors become the child: added as task arithmetic adds them, or by TIES' consensus."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s
from lineal.methods.merge.consensus import combine_agreeing
from lineal.methods.merge.task_arithmetic import shares_of
from lineal.methods.streaming import Block, per_model

Combination: TypeAlias = Callable[[Block], None]
"""Fills a block's `out` from its base and from `models`, which have become task vectors."""


def addition(method: str, weights: Sequence[float], lambda_: float, *, normalize: bool, models: int) -> Combination:
    """Add the weighted vectors to the base; normalized, their sum is divided by the sum of the weights."""
    shares = shares_of(method, weights, lambda_, normalize=normalize, models=models)
    return lambda block: _add_vectors(block.base, block.models, shares, block.out)


def consensus(method: str, weights: Sequence[float], lambda_: float, *, normalize: bool, models: int) -> Combination:
    """Add to the base, entry by entry, those that agree with the elected sign; normalized, their weighted mean."""
    votes, scale = per_model(method, "weights", weights, models), np.float32(lambda_)
    return lambda block: combine_agreeing(block.base, block.models, votes, votes, scale, normalize, block.out)


@kernel
def _add_vectors(base: Float32s, vectors: Float32Rows, shares: Float32s, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = vectors[0, i] * shares[0]
    for m in range(1, shares.size):
        for i in range(out.size):
            out[i] += vectors[m, i] * shares[m]
    for i in range(out.size):
        out[i] += base[i]
