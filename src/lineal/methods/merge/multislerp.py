"""Multi-SLERP: the weighted mean of directions, at the weighted mean of lengths."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.merge.combination import emit_combination
from lineal.methods.merge.dot_products import dot_products
from lineal.methods.merge.sphere import CANCELLED, Float64, at_length, directions, length_of
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Emit, Gather, Site, StreamingMethod, per_model


@final
@dataclass(frozen=True, kw_only=True)
class MultiSlerp(StreamingMethod):
    """Average directions on the sphere and lengths apart; with a base, of task vectors, added to the base.

    The directions are projected onto the sphere's tangent space at their weighted mean, averaged there, and mapped
    back. Projected straight down they average to nothing, so the mean direction is the answer; that is what mergekit
    0.1.5 gives. (The mean of logarithms is the Karcher mean.) A vector of zeros adds no direction, but its length
    counts. mergekit refuses directions that cancel out, and adds its eps of 1e-8 to every length.

    weights: one for each model, or one for all; none means 1 each.
    normalize: divide by the sum of the weights.
    eps: where the weighted directions cancel out to less than this share of the weights, nothing is on the sphere
        between them, and the child is the weighted mean of the models.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "multislerp"
    paper: ClassVar = "https://github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True
    base_is_optional: ClassVar = True

    weights: tuple[float, ...] = ()
    normalize: bool = True
    eps: float = CANCELLED

    def __post_init__(self) -> None:
        if not 0 <= self.eps < 1:
            raise MethodError(f"multislerp: eps must be in [0, 1), got {self.eps}")

    def passes(self, site: Site) -> int:
        return 2

    def check_models(self, count: int) -> None:
        if count < 2:
            raise MethodError(f"multislerp: at least two models are needed, got {count}")
        weights = per_model(self.name, "weights", self.weights, count)
        if self.normalize and weights.sum() == 0:
            raise MethodError("multislerp: the weights sum to 0, which cannot be normalized")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        gather, products = dot_products(site)
        yield gather
        yield emit_combination(self._shares(products))

    def _shares(self, products: Float64) -> Float64:
        weights = per_model(self.name, "weights", self.weights, len(products)).astype(np.float64)
        if self.normalize:
            weights /= math.fsum(weights)
        lengths, cosines = directions(products)
        if length_of(cosines, weights) <= self.eps * math.fsum(abs(weights)):
            return weights
        return at_length(math.fsum(weights * lengths), weights, lengths, cosines)
