"""Linear: the weighted mean of the models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod, per_model

_CHUNK = 2048


@final
@dataclass(frozen=True, kw_only=True)
class Linear(StreamingMethod):
    """Average the models' weights.

    weights: one for each model, or one for all; none means equal.
    normalize: divide by the sum of the weights, so that the result is a mean.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "linear"
    paper: ClassVar = "https://arxiv.org/abs/2203.05482"
    reproducibility: ClassVar = Reproducibility.EXACT
    elementwise: ClassVar = True

    weights: tuple[float, ...] = ()
    normalize: bool = True

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        weights = per_model(self.name, "weights", self.weights, count)
        if self.normalize and weights.sum() == 0:
            raise MethodError("linear: the weights sum to 0, which cannot be normalized")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        weights = per_model(self.name, "weights", self.weights, site.models).astype(np.float64)
        shares = (weights / weights.sum() if self.normalize else weights).astype(np.float32)

        def emit(block: Block) -> None:
            _weighted_sum(block.models, shares, block.out)

        yield Emit(emit)


@kernel
def _weighted_sum(models: Float32Rows, shares: Float32s, out: Float32s) -> None:
    for start in range(0, out.size, _CHUNK):  # each loop below stays in the first-level cache and vectorizes
        child = out[start : start + _CHUNK]
        first, share = models[0, start : start + _CHUNK], shares[0]
        for i in range(child.size):
            child[i] = first[i] * share
        for m in range(1, shares.size):
            model, weight = models[m, start : start + _CHUNK], shares[m]
            for i in range(child.size):
                child[i] += model[i] * weight
