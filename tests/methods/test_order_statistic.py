"""The k-th smallest magnitude, exactly, from histograms."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lineal.methods.selection.order_statistic import SAMPLED, SmallestMagnitudes, gathers
from lineal.methods.streaming import Block, Sample
from tests.builders import Array

ANY_FLOATS = arrays.arrays(
    np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_nan=False), fill=st.nothing()
)
NO_BASE = np.empty(0, np.float32)


def found(models: Array, ranks: list[Any], base: Array = NO_BASE, pieces: int = 1) -> SmallestMagnitudes:
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
    assert smallest.ties().tolist() == [np.count_nonzero(ordered == ordered[rank - 1])]


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


SIZE = 2 * SAMPLED


def swept(models: Array, ranks: Any, sample: Sequence[slice], base: Array = NO_BASE) -> tuple[SmallestMagnitudes, int]:
    """All sweeps in pieces of an odd size, with these stretches as the sample; and how many went over everything."""
    smallest, whole = SmallestMagnitudes(np.array(ranks)), 0
    pieces = [slice(start, start + 99_999) for start in range(0, models.shape[1], 99_999)]
    for sweep in smallest.sweeps(models.shape[1], lambda block: (block.base, block.models)):
        sampled = isinstance(sweep, Sample)
        whole += not sampled
        for piece in sample if sampled else pieces:
            sweep.over(Block(0, base[piece], np.ascontiguousarray(models[:, piece]), NO_BASE))
    return smallest, whole


def expected(values: Array, rank: int) -> tuple[float, int]:
    ordered = np.sort(np.abs(values))
    return float(ordered[rank - 1]), int(np.count_nonzero(ordered[:rank] == ordered[rank - 1]))


@pytest.mark.parametrize("stored", [np.float32, ml_dtypes.bfloat16])
def test_of_a_large_tensor_one_sweep_confirms_what_a_sample_says(stored: Any) -> None:
    values = np.random.default_rng(1).standard_normal((2, SIZE)).astype(stored).astype(np.float32)
    ranks = [[SIZE // 10, SIZE // 3], [SIZE // 2, SIZE - SIZE // 50]]
    smallest, sweeps = swept(values, ranks, [slice(start, start + 2048) for start in range(0, SIZE, SIZE // 16)])
    assert sweeps == gathers(SIZE) == 1
    for m, k in np.ndindex(2, 2):
        wanted = expected(values[m], ranks[m][k])
        assert (float(smallest.thresholds()[m, k]), int(smallest.shares_of_ties()[m, k])) == wanted
        assert smallest.ties()[m, k] == np.count_nonzero(np.abs(values[m]) == wanted[0])


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_sample_that_misleads_costs_sweeps_and_changes_nothing(scale: float) -> None:
    values = np.random.default_rng(2).standard_normal((1, SIZE)).astype(np.float32)
    values[:, :5000] *= np.float32(scale)
    ranks = [SIZE // 2]
    smallest, sweeps = swept(values, ranks, [slice(0, 2048)])
    assert sweeps == 3
    assert (smallest.thresholds().tolist()[0], smallest.shares_of_ties().tolist()[0]) == expected(values[0], ranks[0])


def test_differences_that_are_mostly_zero() -> None:
    base = np.random.default_rng(3).standard_normal(SIZE).astype(np.float32)
    models = base[None].copy()
    models[0, ::10] += np.float32(0.01)
    spread = [slice(start, start + 2048) for start in range(0, SIZE, SIZE // 16)]
    for rank in (0, 1, SIZE // 2, SIZE - SIZE // 20):
        smallest, _ = swept(models, [rank], spread, base)
        wanted = (0.0, 0) if rank == 0 else expected(models[0] - base, rank)
        assert (smallest.thresholds().tolist()[0], smallest.shares_of_ties().tolist()[0]) == wanted
