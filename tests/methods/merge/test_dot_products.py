"""Dot products of models: one fixed tree of additions, whatever the blocks."""

import numpy as np
import pytest

from lineal.methods.merge.dot_products import dot_products
from lineal.methods.streaming import GRANULE, Block, Float32, Site
from tests.builders import Array

SIZES = [1, 15, 16, 17, 63, 64, 65, 130, GRANULE, GRANULE + 1, 3 * GRANULE - 7]
NO_BASE = np.empty(0, np.float32)


def vectors(size: int, count: int = 3) -> tuple[Float32, Float32]:
    generator = np.random.default_rng(size)
    return generator.standard_normal(size, np.float32), generator.standard_normal((count, size), np.float32)


def gathered(base: Float32, models: Float32, block: int) -> Array:
    sweep, products = dot_products(Site("w", models.shape[1:], len(models)))
    for start in range(0, models.shape[1], block):
        part = np.ascontiguousarray(models[:, start : start + block])
        sweep.over(Block(start, base[start : start + block], part, np.empty(part.shape[1], np.float32)))
    return products


def tree(a: Array, b: Array) -> float:
    """Granules in order; in each 16 interleaved lanes, then the lanes in order; what fills no group is lane 0's."""
    total = 0.0
    for start in range(0, a.size, GRANULE):
        terms = a[start : start + GRANULE] * b[start : start + GRANULE]
        grouped, lanes = terms.size - terms.size % 16, [0.0] * 16
        for i, term in enumerate(terms.tolist()):
            lanes[i % 16 if i < grouped else 0] += term
        granule = 0.0
        for lane in lanes:
            granule += lane
        total += granule
    return total


@pytest.mark.parametrize("size", SIZES)
def test_products_are_summed_by_the_documented_tree(size: int) -> None:
    base, models = vectors(size)
    for origin in (NO_BASE, base):
        wide = models.astype(np.float64) - (origin if origin.size else 0)
        assert gathered(origin, models, size).tolist() == [[tree(a, b) for b in wide] for a in wide]


@pytest.mark.parametrize("granules", [1, 2, 3])
def test_blocks_of_any_whole_number_of_granules_give_the_same_bits(granules: int) -> None:
    base, models = vectors(5 * GRANULE + 100)
    whole = gathered(base, models, 6 * GRANULE)
    assert np.array_equal(gathered(base, models, granules * GRANULE), whole)
    assert np.array_equal(gathered(NO_BASE, models, granules * GRANULE), gathered(NO_BASE, models, 6 * GRANULE))


def test_huge_and_denormal_values_have_finite_products_above_zero() -> None:
    models = np.array([[3e38, 3e38], [1e-45, 0]], np.float32)
    products = gathered(NO_BASE, models, 2)
    assert np.isfinite(products).all()
    assert products[1, 1] > 0
