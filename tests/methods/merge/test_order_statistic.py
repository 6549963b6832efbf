"""The k-th largest magnitude, exactly, from histograms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lineal.methods.merge.order_statistic import LargestMagnitude
from tests.builders import Array


def thresholds(models: Array, ranks: list[int], base: Array | None = None, pieces: int = 1) -> list[float]:
    """All three steps, over the tensor in so many pieces."""
    origin = np.zeros(models.shape[1], np.float32) if base is None else base
    largest = LargestMagnitude(len(models), np.array(ranks))
    blocks = list(zip(np.array_split(origin, pieces), np.array_split(models, pieces, axis=1), strict=True))
    for b, m in blocks:
        largest.count_coarsely(b, np.ascontiguousarray(m))
    largest.narrow()
    for b, m in blocks:
        largest.count_finely(b, np.ascontiguousarray(m))
    return largest.thresholds().tolist()


@given(
    arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_nan=False), fill=st.nothing()),
    st.data(),
)
def test_it_is_what_sorting_finds(values: Array, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, values.size))
    pieces = data.draw(st.integers(1, values.size))
    expected = np.sort(np.abs(values))[::-1][rank - 1]
    assert thresholds(values[None], [rank], pieces=pieces) == [expected]


def test_each_model_has_its_own_rank_and_threshold() -> None:
    models = np.array([[5, -4, 3, -2, 1], [10, 20, 30, 40, 50]], np.float32)
    assert thresholds(models, [2, 5]) == [4, 10]


def test_magnitudes_are_those_of_the_difference_to_the_base() -> None:
    models = np.array([[5, -4, 3]], np.float32)
    assert thresholds(models, [1], np.array([5, 6, 2], np.float32)) == [10]


@pytest.mark.parametrize("rank", [1, 2, 50_000, 99_999, 100_000])
def test_many_close_values_are_told_apart(rank: int) -> None:
    values = (np.arange(100_000, dtype=np.uint32) + np.float32(1).view(np.uint32)).view(np.float32)
    expected = np.sort(values)[::-1][rank - 1]
    assert thresholds(np.random.default_rng(1).permutation(values)[None], [rank]) == [expected]


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-45, 3e38, np.inf])
def test_constant_values_are_their_own_threshold(value: float) -> None:
    assert thresholds(np.full((1, 9), value, np.float32), [4]) == [abs(np.float32(value))]
