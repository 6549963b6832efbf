"""TIES: trim each task vector, elect a sign, average those that agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.methods.merge.per_model import PerModel, check_density, spread, written
from lineal.methods.merge.task_vectors import Combination, consensus
from lineal.methods.merge.trimming import trim
from lineal.methods.method import Reproducibility
from lineal.methods.selection.entries import all_but_the_smallest, count_kept, everything
from lineal.methods.selection.order_statistic import SmallestMagnitudes, gathers
from lineal.methods.streaming import Block, Emit, Gather, Sample, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Ties(StreamingMethod):
    """Merge task vectors, keeping only the entries whose sign agrees with the majority by mass.

    Of each tensor's n entries exactly the largest floor(density * n) are kept, at least one: of those that tie at the
    threshold some, spread evenly over the tensor.

    density: share of each task vector to keep, in (0, 1], one for each model or one for all.
    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the merged task vector.
    normalize: divide each entry by the sum of the agreeing weights (the paper's disjoint mean).
    """

    kind: ClassVar = "merge"
    name: ClassVar = "ties"
    version: ClassVar = 2
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
        cuts = everything(site.models)
        if not self._keeps_all and site.elements:
            densities = spread(self.name, "density", self.density, site.models)
            kept = np.array([count_kept(density, site.elements) for density in densities])
            smallest = SmallestMagnitudes(site.elements - kept)
            yield from smallest.sweeps(site.elements, lambda block: (block.base, block.models))
            cuts = all_but_the_smallest(smallest)

        def emit(block: Block) -> None:
            trim(block, cuts)
            combine(block)

        yield Emit(emit)

    def _combination(self, models: int) -> Combination:
        return consensus(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)
