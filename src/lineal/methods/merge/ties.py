"""TIES: trim each task vector, elect a sign, average those that agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from lineal.kernels import kernel
from lineal.methods.merge.per_model import PerModel, check_density, spread, written
from lineal.methods.merge.task_vectors import Combination, consensus
from lineal.methods.method import Reproducibility
from lineal.methods.order_statistic import SmallestMagnitudes, gathers
from lineal.methods.streaming import Block, Emit, Gather, Sample, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Ties(StreamingMethod):
    """Merge task vectors, keeping only the entries whose sign agrees with the majority by mass.

    density: share of each task vector to keep, in (0, 1], one for each model or one for all; entries equal to
        the smallest kept one are kept too.
    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the merged task vector.
    normalize: divide each entry by the sum of the agreeing weights (the paper's disjoint mean).
    """

    kind: ClassVar = "merge"
    name: ClassVar = "ties"
    paper: ClassVar = "https://arxiv.org/abs/2306.01708"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    density: PerModel = 0.2
    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = True

    def __post_init__(self) -> None:
        check_density(self.name, self.density)

    def passes(self, site: Site) -> int:
        return 1 if self._keeps_all else 1 + gathers(site.elements)

    @property
    def _keeps_all(self) -> bool:
        return set(written(self.density)) == {1}

    def check_models(self, count: int) -> None:
        self._combination(count)
        spread(self.name, "density", self.density, count)

    def sweeps(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        combine = self._combination(site.models)
        thresholds = np.zeros(site.models, np.float32)
        if not self._keeps_all and site.elements:
            densities = spread(self.name, "density", self.density, site.models)
            kept = np.array([max(1, int(density * site.elements)) for density in densities])
            smallest = SmallestMagnitudes(site.elements - kept + 1)
            yield from smallest.sweeps(site.elements, lambda block: (block.base, block.models))
            thresholds = smallest.thresholds()

        def emit(block: Block) -> None:
            _trim(block.base, block.models, thresholds)
            combine(block)

        yield Emit(emit)

    def _combination(self, models: int) -> Combination:
        return consensus(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


@kernel
def _trim(base: Any, models: Any, thresholds: Any) -> None:
    """Turn models into trimmed task vectors, in place."""
    for m in range(thresholds.size):
        for i in range(base.size):
            vector = models[m, i] - base[i]
            models[m, i] = vector if abs(vector) >= thresholds[m] else np.float32(0)
