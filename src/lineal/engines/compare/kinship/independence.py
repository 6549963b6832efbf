"""Whether two weight matrices were trained apart: a test whose null needs no model of training.

Training treats the dimensions of the residual stream, and the hidden units of an MLP, alike: any order of them is as
likely as another (Zhu et al. 2025, "Independence Tests for Language Models", arXiv 2502.12292). So of two independent
models, either matrix with its columns in another order is as likely as the one that was found, whatever text both have
seen. The inner product of the two is therefore judged against its distribution over all orders of the columns, of which
mean and variance are known in closed form (Hoeffding 1951, combinatorial central limit theorem).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

ALPHA = 1e-6
"""The chance at which unrelated models are taken for relatives, over all candidates of one question together."""

_QUARTER = 4


@final
@dataclass(frozen=True)
class Agreement:
    """Of one matrix in two models. z: standard deviations above what orders of the columns give; p: its chance."""

    z: float
    p: float


def agreement(one: NDArray[np.float32], other: NDArray[np.float32]) -> Agreement:
    """Of the same rows [rows, columns] of both.

    Rows and columns are centred first: what all rows share, or all columns, is no sign of kinship. With K and L the
    rows' Gram matrices, the variance over all orders of the n columns is <K, L> / (n - 1).
    """
    a, b = _centred(one), _centred(other)
    columns = a.shape[1]
    variance = float(np.vdot(a @ a.T, b @ b.T)) / max(1, columns - 1)
    if variance <= 0:
        return Agreement(0.0, 1.0)
    z = float(np.vdot(a, b)) / math.sqrt(variance)
    fewest = math.exp(-math.lgamma(columns + 1))  # no test by orders can say less than one of them
    return Agreement(z, min(1.0, max(math.erfc(z / math.sqrt(2)) / 2, fewest)))


def combined(found: Sequence[Agreement], questions: int = 1) -> float:
    """One chance for all matrices: a quarter of them must agree, however they depend on each other (Rueger 1978).

    So a table that both were given (positions, a frozen embedding) makes no relatives. questions: how many pairs of
    models were tried, each of which could have agreed by chance.
    """
    if not found:
        return 1.0
    chances = sorted(one.p for one in found)
    rank = -(-len(chances) // _QUARTER)
    return min(1.0, questions * len(chances) / rank * chances[rank - 1])


def _centred(values: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    wide -= wide.mean(axis=0)
    wide -= wide.mean(axis=1, keepdims=True)
    return wide
