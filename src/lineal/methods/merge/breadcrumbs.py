"""Model Breadcrumbs: of each task vector only the middle remains, without the largest entries and the smallest."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.methods.merge.per_model import PerModel, check_density, spread, written
from lineal.methods.merge.task_vectors import Combination, addition, consensus
from lineal.methods.merge.trimming import trim
from lineal.methods.method import Reproducibility
from lineal.methods.selection.entries import between, count_kept, count_of, everything
from lineal.methods.selection.order_statistic import SmallestMagnitudes, gathers
from lineal.methods.streaming import Block, Emit, Gather, Sample, Site, StreamingMethod


@dataclass(frozen=True, kw_only=True)
class MaskedTails(StreamingMethod):
    """Of n entries floor(gamma * n) of the largest magnitude go, then the smallest, until floor(density * n) are left.

    Where gamma exceeds what may go, 1 - density, only that many of the largest go, and none of the smallest. At least
    one entry is kept; mergekit 0.1.5 keeps none of a tensor so small that floor(density * n) is 0. Of the entries that
    tie at either end some are kept, spread evenly over the tensor.

    density: share of each task vector to keep, in (0, 1]; one for each model, or one for all.
    gamma: share of the largest entries to drop, in [0, 1); one for each model, or one for all.
    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the merged task vector.
    normalize: divide by the sum of the weights that count at an entry.
    """

    kind: ClassVar = "merge"
    version: ClassVar = 2
    paper: ClassVar = "https://arxiv.org/abs/2312.06795"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    density: PerModel = 0.9
    gamma: PerModel = 0.01
    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = False

    def __post_init__(self) -> None:
        check_density(self.name, self.density)
        if self.gamma == () or not all(0 <= share < 1 for share in written(self.gamma)):
            raise MethodError(f"{self.name}: gamma must be in [0, 1), got {self.gamma}")

    def passes(self, site: Site) -> int:
        return 1 if self._keeps_all else 1 + gathers(site.elements)

    @property
    def _keeps_all(self) -> bool:
        return set(written(self.density)) == {1}

    @abstractmethod
    def combination(self, models: int) -> Combination:
        """How the trimmed task vectors of so many models are made one."""
        ...

    def check_models(self, count: int) -> None:
        self.combination(count)
        spread(self.name, "density", self.density, count)
        spread(self.name, "gamma", self.gamma, count)

    def sweeps(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        combine = self.combination(site.models)
        cuts = everything(site.models)
        if not self._keeps_all and site.elements:
            smallest = SmallestMagnitudes(self._ranks(site))
            yield from smallest.sweeps(site.elements, lambda block: (block.base, block.models))
            cuts = between(smallest)

        def emit(block: Block) -> None:
            trim(block, cuts)
            combine(block)

        yield Emit(emit)

    def _ranks(self, site: Site) -> NDArray[np.int64]:
        """How many entries lie below the middle, and how many up to its end, [models, 2]."""
        densities = spread(self.name, "density", self.density, site.models)
        gammas = spread(self.name, "gamma", self.gamma, site.models)
        kept = np.array([count_kept(density, site.elements) for density in densities])
        up_to = site.elements - np.minimum([count_of(gamma, site.elements) for gamma in gammas], site.elements - kept)
        return np.stack([up_to - kept, up_to], axis=1)


@final
@dataclass(frozen=True, kw_only=True)
class Breadcrumbs(MaskedTails):
    """Drop the largest and the smallest entries of each task vector, then add the vectors as task arithmetic does."""

    name: ClassVar = "breadcrumbs"

    def combination(self, models: int) -> Combination:
        return addition(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


@final
@dataclass(frozen=True, kw_only=True)
class BreadcrumbsTies(MaskedTails):
    """Drop the largest and the smallest entries of each task vector, then merge as TIES does."""

    name: ClassVar = "breadcrumbs_ties"

    def combination(self, models: int) -> Combination:
        return consensus(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)
