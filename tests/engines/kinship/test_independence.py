"""The test of independence: its mean, variance and chances, against every order of the columns."""

import math
from itertools import permutations

import numpy as np
import pytest

from lineal.engines.compare.kinship.independence import ALPHA, Agreement, agreement, combined
from tests.builders import Array
from tests.trained_llamas import trained_like, tuned


def drawn(seed: int, rows: int = 5, columns: int = 6) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def centred(values: Array) -> Array:
    wide = values.astype(np.float64)
    return wide - wide.mean(0) - wide.mean(1, keepdims=True) + wide.mean()


def test_z_is_the_distance_from_the_mean_over_all_orders_of_the_columns_in_their_standard_deviations() -> None:
    one, other = drawn(1), drawn(2)
    a, b = centred(one), centred(other)
    products = [float(np.vdot(a[:, order], b)) for order in permutations(range(6))]
    expected = (np.vdot(a, b) - np.mean(products)) / np.std(products)
    assert agreement(one, other).z == pytest.approx(expected, rel=1e-9)


def test_no_chance_is_below_that_of_one_order_among_all() -> None:
    one = drawn(3, rows=40, columns=5)
    assert agreement(one, one).p == pytest.approx(1 / math.factorial(5))


def test_unrelated_models_that_saw_the_same_text_agree_as_chance_has_it() -> None:
    models = [trained_like(seed, num_hidden_layers=1) for seed in range(12)]
    pairs = [(one, other) for index, one in enumerate(models) for other in models[:index]]
    z = np.array([agreement(a[n][:64], b[n][:64]).z for a, b in pairs for n in a if a[n].ndim > 1])
    assert abs(z.mean()) < 4 / math.sqrt(z.size)
    assert abs(z.std() - 1) < 0.1
    assert np.abs(z).max() < 5


def test_what_all_rows_share_is_no_agreement() -> None:
    shared = 20 * drawn(4, rows=1, columns=64)
    one, other = (drawn(seed, 32, 64) + shared for seed in (5, 6))
    assert abs(agreement(one, other).z) < 5


def test_a_fine_tune_agrees_far_beyond_chance() -> None:
    base = trained_like(1)
    tune = tuned(base, 2, share=1.0)
    assert combined([agreement(base[n][:64], tune[n][:64]) for n in base if base[n].ndim > 1]) < ALPHA**4


def test_a_quarter_of_the_matrices_must_agree() -> None:
    sure, not_at_all = Agreement(30.0, 1e-100), Agreement(0.0, 0.5)
    assert combined([sure, *[not_at_all] * 7]) == 1.0
    assert combined([sure] * 2 + [not_at_all] * 6) == pytest.approx(4e-100)


def test_more_questions_make_every_chance_larger_and_nothing_compared_says_nothing() -> None:
    assert combined([Agreement(9.0, 1e-20)], questions=1000) == pytest.approx(1e-17)
    assert combined([]) == 1.0
