"""Merges by geometry, transcribed in float64 on the vectors themselves; arguments are named as the options are."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from tests.builders import Array
from tests.reference.merge import spread, wide

CANCELLED = 1e-4
"""What lineal calls no direction: the length of a mean of unit vectors, the sine of the angle between two."""


def length(vector: Array) -> float:
    return math.sqrt(math.fsum((vector * vector).reshape(-1)))


def unit(vector: Array) -> Array:
    return vector / length(vector) if vector.any() else vector


def product(a: Array, b: Array) -> float:
    return math.fsum((a * b).reshape(-1))


def on_task_vectors(base: Array | None, models: Sequence[Array], merged: Callable[[list[Array]], Array]) -> Array:
    if base is None:
        return merged(wide(models))
    (origin,) = wide([base])
    return origin + merged([model - origin for model in wide(models)])


def slerp(a: Array, b: Array, t: float) -> Array:
    """Shoemake 1985; a line where the sine is so small that the arc is one, or is undecided."""
    cosine = max(-1.0, min(1.0, product(unit(a), unit(b))))
    if 1 - cosine * cosine <= CANCELLED**2:
        return (1 - t) * a + t * b
    angle = math.acos(cosine)
    return math.sin((1 - t) * angle) / math.sin(angle) * a + math.sin(t * angle) / math.sin(angle) * b


def nuslerp(
    base: Array | None, models: Sequence[Array], *, weights: Sequence[float], flatten: bool, row_wise: bool
) -> Array:
    first, second = spread(weights, 2)
    t = second / (first + second)

    def merged(vectors: list[Array]) -> Array:
        a, b = vectors
        if flatten or a.ndim < 2 or a.size == 0:
            return slerp(a, b, t)
        axis = a.ndim - 1 if row_wise else 0
        a, b = (v.reshape(-1, v.shape[-1]) for v in (a, b))
        rows = zip(a, b, strict=True) if axis else zip(a.T, b.T, strict=True)
        found = np.stack([slerp(x, y, t) for x, y in rows])
        return (found if axis else found.T).reshape(vectors[0].shape)

    return on_task_vectors(base, models, merged)


def multislerp(
    base: Array | None, models: Sequence[Array], *, weights: Sequence[float], normalize: bool, eps: float
) -> Array:
    """Project the directions onto the tangent space at their mean, average there, go back by the exponential map."""

    def merged(vectors: list[Array]) -> Array:
        shares = np.array(spread(weights, len(vectors)))
        shares = shares / shares.sum() if normalize else shares
        mean = sum((w * unit(v) for w, v in zip(shares, vectors, strict=True)), np.zeros_like(vectors[0]))
        if length(mean) <= eps * np.abs(shares).sum():
            return sum((w * v for w, v in zip(shares, vectors, strict=True)), np.zeros_like(vectors[0]))
        total = math.fsum(w * length(v) for w, v in zip(shares, vectors, strict=True))
        point = unit(mean)
        tangents = [unit(v) - product(unit(v), point) * point for v in vectors]
        step = sum((w * v for w, v in zip(shares, tangents, strict=True)), np.zeros_like(point))
        return total * exponential(point, step)

    return on_task_vectors(base, models, merged)


def karcher(base: Array | None, models: Sequence[Array], *, max_iter: int, tol: float) -> Array:
    """Buss and Fillmore 2001, algorithm A1, from the mean of the directions."""
    vectors = wide(models)
    points = [unit(v) for v in vectors if v.any()]
    mean = sum(points, np.zeros_like(vectors[0])) / max(1, len(points))
    if length(mean) <= CANCELLED:
        return sum(vectors, np.zeros_like(vectors[0])) / len(vectors)
    mean = unit(mean)
    for _ in range(max_iter):
        step = sum((logarithm(mean, point) for point in points), np.zeros_like(mean)) / len(points)
        if length(step) <= tol:
            break
        mean = exponential(mean, step)
    return math.fsum(length(v) for v in vectors) / len(vectors) * unit(mean)


def logarithm(at: Array, point: Array) -> Array:
    """The tangent that leads to a point; 0 where it is opposite."""
    cosine = product(at, point)
    across = point - cosine * at
    if cosine < 0 and length(across) <= CANCELLED:
        return np.zeros_like(at)
    return math.atan2(length(across), cosine) * unit(across)


def exponential(at: Array, step: Array) -> Array:
    """Where a tangent leads."""
    return math.cos(length(step)) * at + math.sin(length(step)) * unit(step)


def model_stock(base: Array | None, models: Sequence[Array], *, filter_wise: bool) -> Array:
    """Jang et al. 2024, equation 3 for any number of models; row by row where filter-wise."""

    def merged(vectors: list[Array]) -> Array:
        if not filter_wise or vectors[0].ndim < 2 or vectors[0].size == 0:
            return ratio(vectors) * np.mean(vectors, axis=0)
        rows = [v.reshape(-1, v.shape[-1]) for v in vectors]
        found = [ratio(list(row)) * np.mean(row, axis=0) for row in zip(*rows, strict=True)]
        return np.stack(found).reshape(vectors[0].shape)

    return on_task_vectors(base, models, merged)


def ratio(vectors: Sequence[Array]) -> float:
    count = len(vectors)
    cosines = [product(unit(vectors[i]), unit(vectors[j])) for i in range(count) for j in range(i)]
    cosine = math.fsum(cosines) / len(cosines)
    divisor = (count - 1) * cosine + 1
    return count * cosine / divisor if divisor > count * CANCELLED**2 else 0.0


def nearswap(base: Array | None, models: Sequence[Array], *, t: float) -> Array:
    """Interpolation with weight t / |base - model|, at most 1."""

    def merged(vectors: list[Array]) -> Array:
        (vector,) = vectors
        distance = np.abs(vector)
        return np.minimum(1, np.divide(t, distance, out=np.ones_like(vector), where=distance > 0)) * vector

    return on_task_vectors(base, models, merged)


def passthrough(base: Array | None, models: Sequence[Array], *, scale: float) -> Array:
    return scale * wide(models)[0]


REFERENCES: dict[str, Callable[..., Array]] = {
    "karcher": karcher,
    "model_stock": model_stock,
    "multislerp": multislerp,
    "nearswap": nearswap,
    "nuslerp": nuslerp,
    "passthrough": passthrough,
}
