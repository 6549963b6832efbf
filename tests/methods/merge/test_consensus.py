"""The election and the merge of those that agree, by hand-computed cases."""

from typing import Any

import numpy as np
import pytest

from lineal.methods.merge.consensus import combine_agreeing
from lineal.methods.merge.dare import DareTies
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from lineal.randomness import uniforms

BASE = np.full(5, 10, np.float32)
VECTORS = np.array([[3, 3, 1, 0, 1], [-1, -2, -1, 0, 2], [0, -2, 0, 0, -4]], np.float32)


def combine(weights: list[float], scale: float, *, normalize: bool) -> list[float]:
    out = np.full(5, np.nan, np.float32)
    combine_agreeing(
        BASE,
        VECTORS.copy(),
        np.array(weights, np.float32),
        np.array(weights, np.float32),
        np.float32(scale),
        normalize,
        out,
    )
    return (out - BASE).tolist()


def test_the_sign_is_that_of_the_greater_mass_not_of_the_majority() -> None:
    assert combine([1, 1, 1], 1, normalize=False) == [3, -4, 1, 0, -4]


def test_the_mean_is_over_those_that_agree() -> None:
    assert combine([1, 1, 1], 1, normalize=True) == [3, -2, 1, 0, -4]


def test_weights_count_in_the_election_and_in_the_mean() -> None:
    assert combine([1, 2, 0.5], 1, normalize=False) == [3, -5, -2, 0, 5]
    assert combine([1, 2, 0.5], 1, normalize=True) == pytest.approx([3, -2, -1, 0, 5 / 3], rel=1e-6)


def test_the_merged_task_vector_is_scaled() -> None:
    assert combine([1, 1, 1], 0.5, normalize=True) == [1.5, -1, 0.5, 0, -2]


def test_a_tie_counts_as_positive() -> None:
    vectors = np.array([[1], [-1]], np.float32)
    out = np.empty(1, np.float32)
    combine_agreeing(
        np.zeros(1, np.float32), vectors, np.ones(2, np.float32), np.ones(2, np.float32), np.float32(1), True, out
    )
    assert out.tolist() == [1]


@pytest.mark.parametrize("count", [1, 2047, 2048, 2049, 5000])
def test_chunks_have_no_seams(count: int) -> None:
    base, vectors = np.zeros(count, np.float32), np.arange(2 * count, dtype=np.float32).reshape(2, count)
    out = np.empty(count, np.float32)
    combine_agreeing(base, vectors, np.ones(2, np.float32), np.ones(2, np.float32), np.float32(1), False, out)
    assert np.array_equal(out, vectors.sum(0))


def test_of_entries_that_tie_for_the_last_places_some_are_kept_spread_evenly() -> None:
    base = np.zeros(8, np.float32)
    model = np.array([5, -2, 2, 1, 2, -2, 0, 2], np.float32)
    assert Ties(density=0.25)([model], base=base).tolist() == [5, 0, 0, 0, 0, 0, 0, 2]
    assert Ties(density=0.4)([model], base=base).tolist() == [5, 0, 0, 0, 2, 0, 0, 2]
    assert Ties(density=0.5)([model], base=base).tolist() == [5, 0, 2, 0, 0, -2, 0, 2]


@pytest.mark.parametrize(("density", "kept"), [(0.01, 1), (0.29, 29), (0.5, 50), (0.999, 99), (1.0, 100)])
def test_density_keeps_the_integer_part_of_its_share_but_at_least_one(density: float, kept: int) -> None:
    model = np.arange(1, 101, dtype=np.float32)
    assert np.count_nonzero(Ties(density=density)([model], base=np.zeros(100, np.float32))) == kept


def test_dare_keeps_where_the_uniform_of_the_element_is_below_the_density() -> None:
    model, base = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    found = DareTies(density=0.25, seed=9)([model, model * 2], base=base, name="layers.3.weight")
    masks = [uniforms(9, "layers.3.weight", m, 0, 1000) < 0.25 for m in range(2)]
    assert np.array_equal(found, 4 * (masks[0] * 1.0 + masks[1] * 2.0))


def test_dare_draws_other_masks_for_another_seed_name_or_model() -> None:
    model, base = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    kept: list[Any] = [
        DareTies(seed=1)([model], base=base, name="a"),
        DareTies(seed=2)([model], base=base, name="a"),
        DareTies(seed=1)([model], base=base, name="b"),
        DareTies(seed=1)([0 * model, model], base=base, name="a"),
    ]
    for i in range(4):
        for j in range(i):
            assert 0.3 < np.mean((kept[i] > 0) == (kept[j] > 0)) < 0.7


def test_dare_keeps_the_expected_sum() -> None:
    model, base = np.ones(100_000, np.float32), np.zeros(100_000, np.float32)
    for rescale, mean in [(True, 1.0), (False, 0.2)]:
        found = DareTies(density=0.2, rescale=rescale)([model], base=base)
        assert abs(found.mean(dtype=np.float64) - mean) < 0.02


def test_task_vectors_may_be_subtracted() -> None:
    base, model = np.full(3, 2, np.float32), np.array([3, 1, 2], np.float32)
    assert TaskArithmetic(weights=(-1.0,))([model], base=base).tolist() == [1, 3, 2]
