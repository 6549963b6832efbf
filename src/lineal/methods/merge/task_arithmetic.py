"""Task arithmetic: add the weighted task vectors, model minus base, to the base."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels import kernel
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod, per_model


@final
@dataclass(frozen=True, kw_only=True)
class TaskArithmetic(StreamingMethod):
    """Add task vectors to the base.

    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the summed task vectors.
    normalize: divide the sum by the sum of the weights.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "task_arithmetic"
    paper: ClassVar = "https://arxiv.org/abs/2212.04089"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = False

    @property
    def passes(self) -> int:
        return 1

    def check_models(self, count: int) -> None:
        weights = per_model(self.name, "weights", self.weights, count)
        if self.normalize and weights.sum() == 0:
            raise MethodError("task_arithmetic: the weights sum to 0, which cannot be normalized")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        weights = per_model(self.name, "weights", self.weights, site.models).astype(np.float64)
        scale = self.lambda_ / weights.sum() if self.normalize else self.lambda_
        shares = (weights * scale).astype(np.float32)

        def emit(block: Block) -> None:
            _add_task_vectors(block.base, block.models, shares, block.out)

        yield Emit(emit)


@kernel
def _add_task_vectors(base: Any, models: Any, shares: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = (models[0, i] - base[i]) * shares[0]
    for m in range(1, shares.size):
        for i in range(out.size):
            out[i] += (models[m, i] - base[i]) * shares[m]
    for i in range(out.size):
        out[i] += base[i]
