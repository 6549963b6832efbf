"""DARE with TIES' sign consensus: drop entries of each task vector at random, rescale the rest, elect, combine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels import kernel
from lineal.methods.merge.consensus import combine_agreeing
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod, per_model
from lineal.randomness import stream, words


@final
@dataclass(frozen=True, kw_only=True)
class DareTies(StreamingMethod):
    """Keep each entry of a task vector with probability `density`, then merge as TIES does.

    density: probability of keeping an entry, in (0, 1].
    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the merged task vector.
    normalize: divide each entry by the sum of the agreeing weights; off, as the rescaling keeps the expected sum.
    rescale: divide what is kept by `density` (the paper's R in DARE).
    seed: of the masks, drawn by (seed, tensor name, position of the model, element).
    """

    kind: ClassVar = "merge"
    name: ClassVar = "dare_ties"
    paper: ClassVar = "https://arxiv.org/abs/2311.03099"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    density: float = 0.5
    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = False
    rescale: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise MethodError(f"dare_ties: density must be in (0, 1], got {self.density}")

    @property
    def passes(self) -> int:
        return 1

    def check_models(self, count: int) -> None:
        per_model(self.name, "weights", self.weights, count)

    def sweeps(self, site: Site) -> Iterator[Emit]:
        weights = per_model(self.name, "weights", self.weights, site.models)
        scale, density = np.float32(self.lambda_), np.float32(self.density)
        factor = np.float32(1 / self.density if self.rescale else 1)
        streams = [stream(self.seed, site.name, m) for m in range(site.models)]

        def emit(block: Block) -> None:
            for m in range(site.models):
                drawn = words(streams[m], block.start, block.out.size)
                _drop(block.base, block.models[m], drawn, density, factor)
            combine_agreeing(block.base, block.models, weights, scale, self.normalize, block.out)

        yield Emit(emit)


@kernel
def _drop(base: Any, model: Any, drawn: Any, density: Any, factor: Any) -> None:
    """Turn a model into its sparse task vector, in place: entries whose uniform is below `density` stay."""
    for i in range(base.size):
        uniform = np.float32(drawn[i] >> np.uint32(8)) * np.float32(2**-24)
        model[i] = (model[i] - base[i]) * factor if uniform < density else np.float32(0)
