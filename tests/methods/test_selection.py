"""Selections are exact, and what ties is spread evenly, wherever blocks end."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lineal.methods.merge.breadcrumbs import Breadcrumbs
from lineal.methods.merge.sce import Sce
from lineal.methods.merge.ties import Ties
from lineal.methods.merge.trimming import trim
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.selection.entries import begin, between, count_kept, count_of, everything, selected
from lineal.methods.streaming import Block, Site, StreamingMethod
from tests.builders import Array
from tests.methods.test_order_statistic import found
from tests.reference import selection

FEW_VALUES = arrays.arrays(
    np.float32, st.integers(1, 300), elements=st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 1e-45]), fill=st.nothing()
)


@pytest.mark.parametrize(
    ("share", "entries", "count"),
    [
        (0.29, 100, 29),
        (0.7, 10, 7),
        (0.57, 100, 57),
        (1 / 3, 3, 1),
        (2 / 3, 3, 2),
        (0.2, 9, 1),
        (0.999999, 10, 9),
        (1.0, 7, 7),
        (0.0, 7, 0),
        (0.5, 0, 0),
        (1e-300, 5, 0),
        (0.1, 10**16, 10**15),
    ],
)
def test_a_share_is_the_number_that_was_written(share: float, entries: int, count: int) -> None:
    assert count_of(share, entries) == count
    assert count_kept(share, entries) == max(1, count)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 10**10))
def test_of_a_decimal_it_is_the_floor(digits: int, places: int, entries: int) -> None:
    exact = min(Fraction(digits, 10**places), Fraction(1))
    assert count_of(float(exact), entries) == int(exact * entries)


@given(st.floats(0, 1), st.integers(1, 10**10))
def test_of_any_float_it_is_the_largest_count_whose_share_is_not_above_it(share: float, entries: int) -> None:
    count = count_of(share, entries)
    assert count / entries <= share
    assert count == entries or (count + 1) / entries > share


def in_blocks(method: StreamingMethod, models: Array, ends: list[int], base: Array) -> Array:
    """The sweeps over a tensor in blocks that end there."""
    size = models.shape[1]
    out = np.empty(size, np.float32)
    stretches = [slice(a, b) for a, b in zip([0, *ends], [*ends, size], strict=True)]
    for sweep in method.sweeps(Site("w", (size,), len(models))):
        for s in stretches:
            sweep.over(Block(s.start, base[s], models[:, s].copy(), out[s]))
    return out


@given(FEW_VALUES, st.floats(0.01, 0.99), st.floats(0, 0.9), st.data())
def test_exactly_so_many_are_kept_spread_evenly_in_blocks_of_any_size(
    values: Array, share: float, gamma: float, data: st.DataObject
) -> None:
    ends = sorted(data.draw(st.sets(st.integers(1, max(1, values.size - 1)), max_size=4)) - {values.size})
    size, zeros, none = values.size, np.zeros_like(values), np.empty(0, np.float32)
    kept = max(1, selection.count(share, size))
    last = size - min(selection.count(gamma, size), size - kept)
    dropped = selection.count(share, size)
    cases: list[tuple[StreamingMethod, Array, Array]] = [
        (Ties(density=share), zeros, selection.largest(np.abs(values), share)),
        (Breadcrumbs(density=share, gamma=gamma), zeros, selection.between(np.abs(values), last - kept, last)),
        (MagnitudePruning(sparsity=share), none, selection.between(np.abs(values), dropped, size)),
    ]
    for method, base, mask in cases:
        assert np.count_nonzero(mask) == (size - dropped if base is none else kept)
        assert np.array_equal(in_blocks(method, values[None], ends, base), np.where(mask, values, 0))


@given(FEW_VALUES, st.floats(0.01, 0.99), st.data())
def test_positions_are_selected_alike_in_both_sweeps(values: Array, share: float, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.sets(st.integers(1, max(1, values.size - 1)), max_size=4)) - {values.size})
    models = np.stack([values + 8, 8 - values])  # the variance is 2 values^2, and no entry is 0
    mask = selection.largest(2 * values.astype(np.float64) ** 2, share)
    child = in_blocks(Sce(select_topk=share), models, ends, np.zeros_like(values))
    assert np.array_equal(child != 0, mask)


@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_a_large_tensor_of_many_ties_keeps_its_share_to_the_entry(stored: Any) -> None:
    values = np.random.default_rng(1).standard_normal((2, 700_001)).astype(np.float32)
    values = np.round(values * 16) / 16 if stored == "bfloat16" else values
    for place, share in enumerate((0.2, 0.29)):
        child = Ties(density=share)([values[place]], base=np.zeros(700_001))
        mask = selection.largest(np.abs(values[place]), share)
        assert np.array_equal(child, np.where(mask, values[place], 0))


@pytest.mark.parametrize(("ties", "left_out"), [(2**62, 2**61), (2**62 + 1, 2**40), (3, 1)])
def test_no_count_of_ties_overflows(ties: int, left_out: int) -> None:
    pair, ones = everything(1)[0], np.ones(200, np.float32)
    begin(pair, ones.view(np.uint32)[0], np.int64(ties), np.int64(left_out))
    kept = np.empty(200, np.uint32)
    selected(ones.view(np.uint32), pair, kept)
    share = Fraction(ties - left_out, ties)
    assert (kept != 0).tolist() == [int((r + 1) * share) > int(r * share) for r in range(200)]


def test_nan_is_the_largest_and_is_kept_as_such() -> None:
    model = np.array([1, np.nan, 3, np.inf, 2], np.float32)
    block = Block(0, np.zeros(5, np.float32), model[None].copy(), np.empty(5, np.float32))
    cuts = between(found(model[None], [[2, 5]], np.zeros(5, np.float32)))
    trim(block, cuts)
    assert np.array_equal(block.models[0], [0, np.nan, 3, np.inf, 0], equal_nan=True)
