"""Merges of sparse task vectors, transcribed in float64, slowly and on whole tensors; they share no code with lineal.

Where something is ranked or compared with a threshold, it is so as float32, in which lineal states what it ranks.
`drawn` are the uniform random numbers of each model's entries.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.builders import Array
from tests.reference import selection
from tests.reference.merge import elect_and_merge, linear, spread, wide

PerModel = float | Sequence[float]


def of_each(value: PerModel, count: int) -> list[float]:
    return spread([value] if isinstance(value, int | float) else value, count)


def vectors_of(base: Array, models: Sequence[Array]) -> list[Array]:
    return [model - wide([base])[0] for model in wide(models)]


def ranked(base: Array, model: Array) -> Array:
    """Magnitudes of the differences as float32 has them."""
    return np.abs(np.asarray(model, np.float32) - np.asarray(base, np.float32))


def added(base: Array, vectors: Sequence[Array], weights: Sequence[float], lambda_: float, *, normalize: bool) -> Array:
    return wide([base])[0] + lambda_ * linear(vectors, weights, normalize=normalize)


def elected(
    base: Array, vectors: Sequence[Array], weights: Sequence[float], lambda_: float, *, normalize: bool
) -> Array:
    return wide([base])[0] + lambda_ * elect_and_merge(vectors, weights, normalize=normalize)


Combination = Callable[..., Array]


def dare(
    combine: Combination,
    base: Array,
    models: Sequence[Array],
    *,
    drawn: Sequence[Array],
    density: PerModel,
    weights: Sequence[float],
    lambda_: float,
    normalize: bool,
    rescale: bool,
) -> Array:
    """Yu et al. 2023: drop at random, divide what is left by the probability of being left."""
    densities = of_each(density, len(models))
    thinned = [
        np.where(u < np.float32(p), vector, 0.0) / (p if rescale else 1.0)
        for u, p, vector in zip(drawn, densities, vectors_of(base, models), strict=True)
    ]
    return combine(base, thinned, weights, lambda_, normalize=normalize)


def mag_prune(vector: Array, magnitude: Array, u: Array, density: float, epsilon: float, *, rescale: bool) -> Array:
    """Deep et al. 2024, one row at a time: Python's stable sort ranks, the rank says how likely an entry stays."""
    thinned = np.zeros_like(vector).reshape(-1)
    columns = vector.shape[-1] if vector.ndim else 1
    flat, sizes, chances = vector.reshape(-1), magnitude.reshape(-1), u.reshape(-1)
    for start in range(0, flat.size, max(1, columns)):
        order = sorted(range(start, start + columns), key=lambda index: sizes[index])
        for rank, index in enumerate(order):
            place = rank / (columns - 1) if columns > 1 else 0.5
            p = density - epsilon + 2 * epsilon * place
            if chances[index] < p:
                thinned[index] = flat[index] / (p if rescale else 1.0)
    return thinned.reshape(vector.shape)


def della(
    combine: Combination,
    base: Array,
    models: Sequence[Array],
    *,
    drawn: Sequence[Array],
    density: PerModel,
    epsilon: PerModel,
    weights: Sequence[float],
    lambda_: float,
    normalize: bool,
    rescale: bool,
) -> Array:
    densities, epsilons = of_each(density, len(models)), of_each(epsilon, len(models))
    thinned = [
        mag_prune(vector, ranked(base, model), u, p, e, rescale=rescale)
        for vector, model, u, p, e in zip(vectors_of(base, models), models, drawn, densities, epsilons, strict=True)
    ]
    return combine(base, thinned, weights, lambda_, normalize=normalize)


def mask_tails(vector: Array, magnitude: Array, density: float, gamma: float) -> Array:
    """Davari and Belilovsky 2023: sort, cut both ends off; counts as in mergekit's guide, but at least one stays."""
    kept = max(1, selection.count(density, vector.size))
    last = vector.size - min(selection.count(gamma, vector.size), vector.size - kept)
    return np.where(selection.between(magnitude, last - kept, last), vector, 0.0)


def breadcrumbs(
    combine: Combination,
    base: Array,
    models: Sequence[Array],
    *,
    density: PerModel,
    gamma: PerModel,
    weights: Sequence[float],
    lambda_: float,
    normalize: bool,
) -> Array:
    densities, gammas = of_each(density, len(models)), of_each(gamma, len(models))
    masked = [
        mask_tails(vector, ranked(base, model), p, g) if vector.size else vector
        for vector, model, p, g in zip(vectors_of(base, models), models, densities, gammas, strict=True)
    ]
    return combine(base, masked, weights, lambda_, normalize=normalize)


def sce(base: Array, models: Sequence[Array], *, select_topk: float) -> Array:
    """Wan et al. 2024: select by variance, calculate weights from squares, erase the minority's signs."""
    vectors = np.stack(vectors_of(base, models))
    if vectors[0].size == 0:
        return wide([base])[0]
    rounded = np.stack([np.asarray(m, np.float32) - np.asarray(base, np.float32) for m in models]).astype(np.float64)
    deviations = ((rounded - rounded.mean(0)) ** 2).sum(0).astype(np.float32)
    if select_topk < 1:
        vectors = np.where(selection.largest(deviations, select_topk), vectors, 0.0)
    squares = (vectors**2).reshape(len(models), -1).mean(1)
    weights = squares / squares.sum() if squares.sum() > 0 else squares
    column = weights.reshape(-1, *(1,) * (vectors.ndim - 1))
    sign = np.where(vectors.sum(0) >= 0, 1.0, -1.0)
    agree = np.sign(vectors) == sign
    total, divisor = (agree * column * vectors).sum(0), (agree * column).sum(0)
    return wide([base])[0] + total / np.where(np.abs(divisor) < 1e-8, 1.0, divisor)


def ramplus(base: Array, models: Sequence[Array], *, epsilon: float, r: float, alpha: float) -> Array:
    """Yuan et al. 2026: what one alone changed times 1 + r min(shared / unique, alpha), the rest averaged."""
    vectors = np.stack(vectors_of(base, models))
    changed = np.stack([ranked(base, model) > np.float32(epsilon) for model in models])
    times = changed.sum(0)
    shared = np.where(changed, vectors, 0.0).sum(0) / np.maximum(times, 1)
    merged = np.where(times > 1, shared, 0.0)
    for vector, own in zip(vectors, changed, strict=True):
        unique, common = int((own & (times == 1)).sum()), int((own & (times > 1)).sum())
        factor = 1 + r * min(common / unique, alpha) if unique else 1.0
        merged = merged + np.where(own & (times == 1), factor * vector, 0.0)
    return wide([base])[0] + merged


def ram(base: Array, models: Sequence[Array], *, epsilon: float) -> Array:
    return ramplus(base, models, epsilon=epsilon, r=0.0, alpha=0.0)


def divergence(model: Array, base: Array) -> float:
    """KL(softmax(model) || softmax(base)) of one row as it is written in books, with exact sums."""
    p_log = model - model.max() - math.log(math.fsum(np.exp(model - model.max())))
    q_log = base - base.max() - math.log(math.fsum(np.exp(base - base.max())))
    return math.fsum(np.exp(p_log) * (p_log - q_log))


def arcee_fusion(base: Array, models: Sequence[Array]) -> Array:
    """Importance = |difference| * divergence of the row; what is median + 1.5 IQR or more is taken from the model."""
    (model,), (origin,) = wide(models), wide([base])
    if model.size == 0:
        return origin
    columns = model.shape[-1] if model.ndim else 1
    rows, others = model.reshape(-1, columns), origin.reshape(-1, columns)
    by_row = np.array([[divergence(row, other)] for row, other in zip(rows, others, strict=True)])
    importance = ranked(base, models[0]).astype(np.float64).reshape(-1, columns) * np.maximum(by_row, 0.0)
    importance = np.minimum(importance, float(np.finfo(np.float32).max)).astype(np.float32).astype(np.float64)
    first, median, third = np.quantile(importance, [0.25, 0.5, 0.75], method="lower")
    return np.where(importance >= median + 1.5 * (third - first), rows, others).reshape(model.shape)


REFERENCES: Mapping[str, Callable[..., Array]] = {
    "dare_linear": lambda *tensors, **options: dare(added, *tensors, **options),
    "dare_ties": lambda *tensors, **options: dare(elected, *tensors, **options),
    "della_linear": lambda *tensors, **options: della(added, *tensors, **options),
    "della": lambda *tensors, **options: della(elected, *tensors, **options),
    "breadcrumbs": lambda *tensors, **options: breadcrumbs(added, *tensors, **options),
    "breadcrumbs_ties": lambda *tensors, **options: breadcrumbs(elected, *tensors, **options),
    "sce": sce,
    "ram": ram,
    "ramplus_tl": ramplus,
    "arcee_fusion": arcee_fusion,
}
