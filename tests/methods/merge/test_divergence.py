"""The divergence of softmaxes: what it is by the books, also where the books' formula cancels."""

import math
from fractions import Fraction

import numpy as np
import pytest

from lineal.methods.merge.divergence import divergences, series, total
from tests.builders import Array
from tests.reference.sparse import divergence


def found(rows: Array, others: Array) -> Array:
    out = np.empty(len(rows))
    divergences(rows.astype(np.float32).reshape(-1), others.astype(np.float32).reshape(-1), rows.shape[1], out)
    return out


@pytest.mark.parametrize("columns", [1, 2, 15, 16, 17, 100, 4097])
@pytest.mark.parametrize("change", [1e-2, 1.0, 30.0])
def test_it_is_what_the_definition_says(columns: int, change: float) -> None:
    generator = np.random.default_rng(columns)
    rows = generator.standard_normal((5, columns)).astype(np.float32)
    others = (rows + change * generator.standard_normal(rows.shape)).astype(np.float32)
    expected = [divergence(*pair) for pair in zip(rows.astype(np.float64), others.astype(np.float64), strict=True)]
    assert found(rows, others) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("change", [1e-3, 1e-5, 1e-8])
def test_for_small_changes_it_is_half_their_variance(change: float) -> None:
    """KL(p || q) = Var_q(d) / 2 + O(d^3), far below the rounding of the definition's logarithms."""
    generator = np.random.default_rng(1)
    others = np.zeros((1, 1000), np.float32)
    rows = (change * generator.standard_normal(others.shape)).astype(np.float32)
    assert found(rows, others)[0] == pytest.approx(np.var(rows.astype(np.float64)) / 2, rel=10 * change + 1e-9)


def test_of_equal_rows_and_of_rows_a_constant_apart_it_is_zero() -> None:
    rows = np.random.default_rng(1).integers(-8, 8, (4, 33)).astype(np.float32)
    assert found(rows, rows).tolist() == found(rows + 16, rows).tolist() == [0] * 4


def test_a_row_of_one_entry_diverges_from_nothing() -> None:
    assert found(np.array([[3.0], [-1e30]]), np.array([[5.0], [1e30]])).tolist() == [0, 0]


def test_huge_entries_neither_overflow_nor_vanish() -> None:
    assert found(np.array([[3e38, 0.0]]), np.zeros((1, 2)))[0] == pytest.approx(math.log(2))
    assert found(np.zeros((1, 2)), np.array([[2e38, 0.0]]))[0] == pytest.approx(np.float64(np.float32(2e38)) / 2)


def test_what_is_no_number_gives_none() -> None:
    assert np.isnan(found(np.array([[math.inf, 0.0]]), np.zeros((1, 2)))).all()
    assert np.isnan(found(np.array([[math.nan, 0.0]]), np.zeros((1, 2)))).all()


def test_the_series_is_that_of_its_function() -> None:
    for u in (-0.125, -0.01, -1e-9, 0.0, 1e-20, 1e-4, 0.1249):
        exact = sum(Fraction(u) ** (k + 2) * (k + 1) / math.factorial(k + 2) for k in range(25))
        assert series(u) == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 1000])
def test_the_total_is_the_sum(count: int) -> None:
    values = np.random.default_rng(1).standard_normal(count)
    assert total(values) == pytest.approx(math.fsum(values.tolist()), abs=1e-13)
