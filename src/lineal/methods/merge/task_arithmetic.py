"""Task arithmetic: add the weighted task vectors, model minus base, to the base."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Float32, Site, StreamingMethod, per_model


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
    elementwise: ClassVar = True
    uses_base: ClassVar = True

    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = False

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        self._shares(count)

    def sweeps(self, site: Site) -> Iterator[Emit]:
        shares = self._shares(site.models)

        def emit(block: Block) -> None:
            _add_task_vectors(block.base, block.models, shares, block.out)

        yield Emit(emit)

    def _shares(self, models: int) -> Float32:
        return shares_of(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


def shares_of(method: str, weights: Sequence[float], lambda_: float, *, normalize: bool, models: int) -> Float32:
    """What each task vector is multiplied by before they are added, float32 [models]."""
    given = per_model(method, "weights", weights, models)
    if normalize and given.sum() == 0:
        raise MethodError(f"{method}: the weights sum to 0, which cannot be normalized")
    wide = given.astype(np.float64)
    return (wide * (lambda_ / wide.sum() if normalize else lambda_)).astype(np.float32)


@kernel
def _add_task_vectors(base: Float32s, models: Float32Rows, shares: Float32s, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = (models[0, i] - base[i]) * shares[0]
    for m in range(1, shares.size):
        for i in range(out.size):
            out[i] += (models[m, i] - base[i]) * shares[m]
    for i in range(out.size):
        out[i] += base[i]
