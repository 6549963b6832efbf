"""DELLA: keep the entries of each task vector at random, large ones more likely than small ones of the same row."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Uint32s
from lineal.methods.merge.per_model import PerModel, check_density, spread, written
from lineal.methods.merge.task_vectors import Combination, addition, consensus
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Float32, Site, StreamingMethod
from lineal.randomness import stream, words

_DIGIT_BITS, _DIGITS = 8, 4
_DIGIT = np.uint64((1 << _DIGIT_BITS) - 1)
"""How the 31 bits of a magnitude are taken apart to be sorted; few values, so that short rows do not pay for them."""


@dataclass(frozen=True, kw_only=True)
class MagPrune(StreamingMethod):
    """An entry's probability rises with the rank of its magnitude in its row, evenly from density - epsilon to
    density + epsilon; what is kept is divided by its own probability.

    A row is what the last dimension holds; a tensor of one dimension is one row. Of equal magnitudes the first has the
    lower rank, and the only entry of a row has probability `density`. The paper's epsilon is the whole range of the
    probabilities, here it is half of it, as in mergekit. mergekit 0.1.5 multiplies what is kept by one factor that
    restores its sum of magnitudes; that is not followed, for it leaves the small entries of a row too small on average
    and the large ones too large.

    density: mean probability of keeping an entry; one for each model, or one for all.
    epsilon: half the range of the probabilities, which must stay in (0, 1]; one for each model, or one for all.
    weights: one for each model, or one for all; none means 1 each.
    lambda_: scale of the merged task vector.
    normalize: divide by the sum of the weights that count at an entry.
    rescale: divide what is kept by its probability.
    seed: of the masks, drawn by (seed, tensor name, position of the model, element).
    """

    kind: ClassVar = "merge"
    paper: ClassVar = "https://arxiv.org/abs/2406.11617"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    density: PerModel = 0.5
    epsilon: PerModel = 0.15
    weights: tuple[float, ...] = ()
    lambda_: float = 1.0
    normalize: bool = True
    rescale: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        check_density(self.name, self.density)
        models = max(len(written(self.density)), len(written(self.epsilon)))
        for density, epsilon in self._ranges(models):
            if not (epsilon >= 0 and density - epsilon > 0 and density + epsilon <= 1):
                raise MethodError(
                    f"{self.name}: density - epsilon and density + epsilon must be in (0, 1] and epsilon at least 0, "
                    f"got density {density} and epsilon {epsilon}"
                )

    def passes(self, site: Site) -> int:
        return 1

    def unit(self, site: Site) -> int:
        return max(1, site.columns)

    @abstractmethod
    def combination(self, models: int) -> Combination:
        """How the trimmed task vectors of so many models are made one."""
        ...

    def check_models(self, count: int) -> None:
        self.combination(count)
        self._ranges(count)

    def sweeps(self, site: Site) -> Iterator[Emit]:
        combine = self.combination(site.models)
        columns = self.unit(site)
        odds = [self._odds(columns, *bounds) for bounds in self._ranges(site.models)]
        streams = [stream(self.seed, site.name, m) for m in range(site.models)]

        def emit(block: Block) -> None:
            for model, source, (probabilities, factors) in zip(block.models, streams, odds, strict=True):
                drawn = words(source, block.start, block.out.size)
                _sample_rows(block.base, model, drawn, probabilities, factors)
            combine(block)

        yield Emit(emit)

    def _ranges(self, models: int) -> list[tuple[float, float]]:
        """The density and the epsilon of each model."""
        densities = spread(self.name, "density", self.density, models)
        return list(zip(densities, spread(self.name, "epsilon", self.epsilon, models), strict=True))

    def _odds(self, columns: int, density: float, epsilon: float) -> tuple[Float32, Float32]:
        """By rank, the smallest magnitude first: the probability of being kept, and the factor of what is kept."""
        rank = np.arange(columns, dtype=np.float64)
        last = max(1, columns - 1)
        rising = density + epsilon * ((2 * rank - (columns - 1)) / last)
        return rising.astype(np.float32), (1 / rising if self.rescale else np.ones(columns)).astype(np.float32)


@final
@dataclass(frozen=True, kw_only=True)
class Della(MagPrune):
    """Keep the entries of each task vector at random, by their rank in their row, then merge as TIES does."""

    name: ClassVar = "della"

    def combination(self, models: int) -> Combination:
        return consensus(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


@final
@dataclass(frozen=True, kw_only=True)
class DellaLinear(MagPrune):
    """Keep the entries of each task vector at random, by their rank in their row, then add the vectors."""

    name: ClassVar = "della_linear"

    normalize: bool = False

    def combination(self, models: int) -> Combination:
        return addition(self.name, self.weights, self.lambda_, normalize=self.normalize, models=models)


@kernel
def _sample_rows(base: Float32s, model: Float32s, drawn: Uint32s, probabilities: Float32s, factors: Float32s) -> None:
    """Turn a model into its sampled task vector, in place; each row's magnitudes are ranked by a radix sort."""
    columns = probabilities.size
    order, next_order = np.empty(columns, np.uint64), np.empty(columns, np.uint64)
    places = np.empty((_DIGITS, 1 << _DIGIT_BITS), np.int64)
    for start in range(0, model.size, columns):
        row, origin = model[start : start + columns], base[start : start + columns]
        places[:] = 0
        for j in range(columns):
            row[j] -= origin[j]
            magnitude = np.uint64(np.float32(row[j]).view(np.uint32) & np.uint32(0x7FFFFFFF))
            order[j] = magnitude << np.uint64(32) | np.uint64(j)
            for digit in range(_DIGITS):
                places[digit, magnitude >> np.uint64(_DIGIT_BITS * digit) & _DIGIT] += 1
        for digit in range(_DIGITS):
            place = 0
            for value in range(1 << _DIGIT_BITS):
                count = places[digit, value]
                places[digit, value] = place
                place += count
            for j in range(columns):
                value = order[j] >> np.uint64(32 + _DIGIT_BITS * digit) & _DIGIT
                next_order[places[digit, value]] = order[j]
                places[digit, value] += 1
            order, next_order = next_order, order
        for rank in range(columns):
            j = order[rank] & np.uint64(0xFFFFFFFF)
            uniform = np.float32(drawn[start + j] >> np.uint32(8)) * np.float32(2**-24)
            row[j] = row[j] * factors[rank] if uniform < probabilities[rank] else np.float32(0)
