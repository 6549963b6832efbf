"""Merges transcribed from the papers in float64, slowly and on whole tensors; they share no code with lineal.

Where a paper leaves a choice open, the choice is that of mission.md and of the note in tests/vectors/formulas.json.
"""

import math
from collections.abc import Sequence

import numpy as np

from tests.builders import Array
from tests.reference import selection


def spread(weights: Sequence[float], count: int) -> list[float]:
    """One weight for each model: none given means 1 each, one given is for all."""
    return list(weights) * count if len(weights) == 1 else list(weights) or [1.0] * count


def wide(tensors: Sequence[Array]) -> list[Array]:
    return [np.asarray(tensor).astype(np.float64) for tensor in tensors]


def linear(models: Sequence[Array], weights: Sequence[float] = (), *, normalize: bool = True) -> Array:
    """Model soups: the weighted mean, or the weighted sum."""
    shares = spread(weights, len(models))
    total = sum((w * m for w, m in zip(shares, wide(models), strict=True)), np.zeros_like(wide(models)[0]))
    return total / sum(shares) if normalize else total


def uniform_soup(_base: Array | None, models: Sequence[Array]) -> Array:
    return sum(wide(models), np.zeros(models[0].shape)) / len(models)


def greedy_soup(_base: Array | None, models: Sequence[Array], *, ingredients: Sequence[int]) -> Array:
    return uniform_soup(None, [models[place] for place in ingredients])


REFERENCES = {"uniform_soup": uniform_soup, "greedy_soup": greedy_soup}


def slerp(first: Array, second: Array, t: float, nearly_parallel: float = 0.9995) -> Array:
    """Shoemake 1985, on tensors as vectors; a straight line where the arc is nearly one."""
    a, b = wide([first, second])
    norms = math.sqrt(float((a * a).sum())) * math.sqrt(float((b * b).sum()))
    cosine = max(-1.0, min(1.0, float((a * b).sum()) / norms)) if norms > 0 else 0.0
    if abs(cosine) >= nearly_parallel:
        return (1 - t) * a + t * b
    angle = math.acos(cosine)
    return math.sin((1 - t) * angle) / math.sin(angle) * a + math.sin(t * angle) / math.sin(angle) * b


def task_arithmetic(
    base: Array,
    models: Sequence[Array],
    weights: Sequence[float] = (),
    *,
    lambda_: float = 1.0,
    normalize: bool = False,
) -> Array:
    """Ilharco et al. 2022: base + lambda * sum of weighted task vectors."""
    (origin,) = wide([base])
    vectors = [model - origin for model in wide(models)]
    return origin + lambda_ * linear(vectors, weights, normalize=normalize)


def trim(vector: Array, density: float) -> Array:
    """Yadav et al. 2023, step 1: keep the k largest magnitudes, k = max(1, floor(density * size)), exactly."""
    return np.where(selection.largest(np.abs(vector), density), vector, 0.0) if vector.size else vector


def elect_and_merge(vectors: Sequence[Array], weights: Sequence[float], *, normalize: bool) -> Array:
    """Steps 2 and 3: the sign with the greater mass, then the mean of the vectors that have it."""
    shares = spread(weights, len(vectors))
    weighted = [w * v for w, v in zip(shares, vectors, strict=True)]
    sign = np.where(np.sum(weighted, axis=0) >= 0, 1.0, -1.0)
    agree = [np.sign(v) == sign for v in weighted]
    total = np.sum([np.where(a, v, 0.0) for a, v in zip(agree, weighted, strict=True)], axis=0)
    if not normalize:
        return total
    divisor = np.sum([np.where(a, w, 0.0) for a, w in zip(agree, shares, strict=True)], axis=0)
    return total / np.where(np.abs(divisor) < 1e-8, 1.0, divisor)


def ties(
    base: Array,
    models: Sequence[Array],
    weights: Sequence[float] = (),
    *,
    density: float | Sequence[float],
    lambda_: float = 1.0,
    normalize: bool = True,
) -> Array:
    (origin,) = wide([base])
    densities = spread([density] if isinstance(density, int | float) else density, len(models))
    vectors = [trim(model - origin, share) for model, share in zip(wide(models), densities, strict=True)]
    return origin + lambda_ * elect_and_merge(vectors, weights, normalize=normalize)
