"""DARE: drop entries of each task vector at random, rescale the rest, then add the vectors or let them agree."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Uint32s
from lineal.methods.merge.per_model import PerModel, check_density, spread
from lineal.methods.merge.task_vectors import Combination, addition, consensus
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod
from lineal.randomness import stream, words


@dataclass(frozen=True, kw_only=True)
class Dare(StreamingMethod):
    """Each entry of a task vector is kept with probability `density`, and what is kept is divided by it.

    So says the paper; mergekit 0.1.5 multiplies what is kept by one factor that restores its sum of magnitudes.

    density: probability of keeping an entry, in (0, 1]; one for each model, or one for all.
    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the merged task vector.
    normalize: divide by the sum of the weights that count at an entry; off, as the rescaling keeps the expected sum.
    rescale: divide what is kept by `density` (the paper's R in DARE).
    seed: of the masks, drawn by (seed, tensor name, position of the model, element).
    """

    kind: ClassVar = "merge"
    paper: ClassVar = "https://arxiv.org/abs/2311.03099"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    density: PerModel = 0.5
    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = False
    rescale: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        check_density(self.name, self.density)

    def passes(self, site: Site) -> int:
        return 1

    @abstractmethod
    def combination(self, models: int) -> Combination:
        """How the trimmed task vectors of so many models are made one."""
        ...

    def check_models(self, count: int) -> None:
        self.combination(count)
        spread(self.name, "density", self.density, count)

    def sweeps(self, site: Site) -> Iterator[Emit]:
        combine = self.combination(site.models)
        densities = spread(self.name, "density", self.density, site.models)
        streams = [stream(self.seed, site.name, m) for m in range(site.models)]

        def emit(block: Block) -> None:
            for model, source, density in zip(block.models, streams, densities, strict=True):
                drawn = words(source, block.start, block.out.size)
                factor = np.float32(1 / density if self.rescale else 1)
                _drop(block.base, model, drawn, np.float32(density), factor)
            combine(block)

        yield Emit(emit)


@final
@dataclass(frozen=True, kw_only=True)
class DareLinear(Dare):
    """Keep each entry of a task vector with probability `density`, then add the vectors as task arithmetic does."""

    name: ClassVar = "dare_linear"

    def combination(self, models: int) -> Combination:
        return addition(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


@final
@dataclass(frozen=True, kw_only=True)
class DareTies(Dare):
    """Keep each entry of a task vector with probability `density`, then merge as TIES does."""

    name: ClassVar = "dare_ties"

    def combination(self, models: int) -> Combination:
        return consensus(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


@kernel
def _drop(base: Float32s, model: Float32s, drawn: Uint32s, density: np.float32, factor: np.float32) -> None:
    """Turn a model into its sparse task vector, in place: entries whose uniform is below `density` stay."""
    for i in range(base.size):
        uniform = np.float32(drawn[i] >> np.uint32(8)) * np.float32(2**-24)
        model[i] = (model[i] - base[i]) * factor if uniform < density else np.float32(0)
