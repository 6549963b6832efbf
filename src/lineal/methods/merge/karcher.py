"""Karcher mean: the point of the sphere nearest to all models, by squared angle."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float64Rows, Float64s
from lineal.methods.exact.trigonometry import arccos, cos, sin
from lineal.methods.merge.combination import emit_combination
from lineal.methods.merge.dot_products import dot_products
from lineal.methods.merge.sphere import CANCELLED, Float64, at_length, cosine_with, directions, length_of
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Emit, Gather, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Karcher(StreamingMethod):
    """The mean direction of the models by Riemannian gradient steps, at their mean length, tensor by tensor.

    Every iterate is a combination of the models, so the iteration runs on n coefficients and the n x n cosines; the
    tensors are read twice, whatever max_iter. It starts from the mean of the directions. Where that cancels out there
    is no one nearest point, and the child is the mean of the models; mergekit 0.1.5 takes the first model. A vector of
    zeros has no direction, but its length counts in the mean; mergekit treats vectors shorter than tol as zeros.

    max_iter: most steps to take.
    tol: a step shorter than this, in radians, is not taken and ends it.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "karcher"
    paper: ClassVar = "https://dl.acm.org/doi/10.1145/502122.502124"
    reproducibility: ClassVar = Reproducibility.EXACT

    max_iter: int = 10
    tol: float = 1e-5

    def __post_init__(self) -> None:
        if self.max_iter < 1:
            raise MethodError(f"karcher: max_iter must be at least 1, got {self.max_iter}")
        if not 0 <= self.tol < math.inf:
            raise MethodError(f"karcher: tol must be finite and not negative, got {self.tol}")

    def passes(self, site: Site) -> int:
        return 2

    def check_models(self, count: int) -> None:
        if count < 2:
            raise MethodError(f"karcher: at least two models are needed, got {count}")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        gather, products = dot_products(site)
        yield gather
        yield emit_combination(self._shares(products))

    def _shares(self, products: Float64) -> Float64:
        lengths, cosines = directions(products)
        count = len(lengths)
        mean = np.where(lengths > 0, 1 / max(1, np.count_nonzero(lengths)), 0.0)
        length = length_of(cosines, mean)
        if length <= CANCELLED:
            return np.full(count, 1 / count)
        mean /= length
        _improve(cosines, mean, self.max_iter, self.tol)
        return at_length(math.fsum(lengths) / count, mean, lengths, cosines)


@kernel
def _improve(cosines: Float64Rows, mean: Float64s, max_iter: int, tol: float) -> None:
    """Walk from a unit vector along the mean of the others' logarithms there, until that is shorter than tol."""
    step, present = np.empty(mean.size), 0
    for i in range(mean.size):
        present += int(cosines[i, i] > 0)
    for _ in range(max_iter):
        along = 0.0  # what the step has of the mean itself, to be taken off: logarithms are tangents
        for i in range(mean.size):
            cosine = min(1.0, max(-1.0, cosine_with(cosines[i], mean)))
            step[i] = _stretch(cosine) / present if cosines[i, i] > 0 else 0.0
            along += step[i] * cosine
        for i in range(mean.size):
            step[i] -= along * mean[i]
        angle = length_of(cosines, step)
        if angle <= tol:
            return
        for i in range(mean.size):
            mean[i] = cos(angle) * mean[i] + sin(angle) / angle * step[i]


@kernel
def _stretch(cosine: float) -> float:
    """Angle over sine: what makes a projection onto the tangent space a logarithm. Opposite points have none: 0."""
    sine = math.sqrt((1 - cosine) * (1 + cosine))
    if sine > CANCELLED:
        return arccos(cosine) / sine
    return 1.0 if cosine > 0 else 0.0
