"""The k-th smallest magnitude, exactly, from histograms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lineal.methods.order_statistic import SmallestMagnitudes
from tests.builders import Array

ANY_FLOATS = arrays.arrays(
    np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_nan=False), fill=st.nothing()
)
NO_BASE = np.empty(0, np.float32)


def found(models: Array, ranks: list[int], base: Array = NO_BASE, pieces: int = 1) -> SmallestMagnitudes:
    """All three steps, over the tensor in so many pieces."""
    smallest = SmallestMagnitudes(np.array(ranks))
    origins = np.array_split(base, pieces)
    blocks = [
        (b, np.ascontiguousarray(m)) for b, m in zip(origins, np.array_split(models, pieces, axis=1), strict=True)
    ]
    for b, m in blocks:
        smallest.count_coarsely(b, m)
    smallest.narrow()
    for b, m in blocks:
        smallest.count_finely(b, m)
    return smallest


def thresholds(models: Array, ranks: list[int], base: Array = NO_BASE) -> list[float]:
    return found(models, ranks, base).thresholds().tolist()


@given(ANY_FLOATS, st.data())
def test_it_is_what_sorting_finds(values: Array, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, values.size))
    smallest = found(values[None], [rank], pieces=data.draw(st.integers(1, values.size)))
    ordered = np.sort(np.abs(values))
    assert smallest.thresholds().tolist() == [ordered[rank - 1]]
    assert smallest.shares_of_ties().tolist() == [np.count_nonzero(ordered[:rank] == ordered[rank - 1])]


def test_each_model_has_its_own_rank_and_threshold() -> None:
    models = np.array([[5, -4, 3, -2, 1], [10, 20, 30, 40, 50]], np.float32)
    assert thresholds(models, [4, 1]) == [4, 10]


def test_magnitudes_are_those_of_the_difference_to_the_base() -> None:
    models = np.array([[5, -4, 3]], np.float32)
    assert thresholds(models, [3], np.array([5, 6, 2], np.float32)) == [10]


def test_ties_are_shared_between_those_up_to_the_rank_and_those_beyond_it() -> None:
    models = np.array([[2, -1, 1, 1, -2, 1, 0]], np.float32)
    assert [found(models, [rank]).shares_of_ties().tolist() for rank in range(8)] == [
        *([0], [1]),
        *([1], [2], [3], [4]),
        *([1], [2]),
    ]


def test_nothing_is_up_to_rank_0() -> None:
    smallest = found(np.zeros((1, 5), np.float32), [0])
    assert (smallest.thresholds().tolist(), smallest.shares_of_ties().tolist()) == ([0], [0])


@pytest.mark.parametrize("rank", [1, 2, 50_000, 99_999, 100_000])
def test_many_close_values_are_told_apart(rank: int) -> None:
    values = (np.arange(100_000, dtype=np.uint32) + np.float32(1).view(np.uint32)).view(np.float32)
    assert thresholds(np.random.default_rng(1).permutation(values)[None], [rank]) == [values[rank - 1]]


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-45, 3e38, np.inf])
def test_constant_values_are_their_own_threshold(value: float) -> None:
    assert thresholds(np.full((1, 9), value, np.float32), [4]) == [abs(np.float32(value))]
