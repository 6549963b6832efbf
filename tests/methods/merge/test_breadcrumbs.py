"""Model Breadcrumbs by hand-computed cases: which entries lie in the middle."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.breadcrumbs import Breadcrumbs, BreadcrumbsTies, MaskedTails
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties
from lineal.methods.streaming import Site
from tests.builders import Array, same_bits
from tests.reference import selection


def masked(values: list[float] | Array, density: float, gamma: float) -> list[float]:
    model = np.asarray(values, np.float32)
    return Breadcrumbs(density=density, gamma=gamma)([model], base=np.zeros_like(model)).tolist()


def test_the_largest_and_the_smallest_go() -> None:
    assert masked([9, -1, 5, -7, 2, 4, -8, 3, 6, 0], 0.5, 0.2) == [0, 0, 5, -7, 0, 4, 0, 3, 6, 0]


@pytest.mark.parametrize(
    ("entries", "density", "gamma", "first", "last"),
    [
        (100, 0.9, 0.01, 10, 99),
        (100, 0.5, 0.1, 41, 90),
        (33, 0.5, 0.1, 15, 30),
        (33, 0.9, 0.01, 5, 33),
        (100, 0.3, 0.0, 71, 100),
        (100, 0.95, 0.1, 1, 95),
        (33, 0.5, 0.5, 2, 17),
        (10, 0.5, 0.6, 1, 5),
        (10, 1.0, 0.5, 1, 10),
        (7, 0.1, 0.95, 1, 1),
        (3, 0.3, 0.0, 3, 3),
        (1, 0.5, 0.5, 1, 1),
    ],
)
def test_these_of_the_entries_from_1_to_n_stay(
    entries: int, density: float, gamma: float, first: int, last: int
) -> None:
    values = np.random.default_rng(1).permutation(entries) + 1
    expected = np.where((values >= first) & (values <= last), values, 0)
    assert masked(values, density, gamma) == expected.tolist()


def test_of_entries_that_tie_at_either_end_some_are_kept_spread_evenly() -> None:
    assert masked([2, -2, 2, -2, 2, -2], 0.5, 0.2) == [0, -2, 0, -2, 0, -2]
    assert masked([2, 1, 2, 1, 2, 1], 0.5, 0.2) == [0, 0, 2, 0, 2, 1]
    assert masked([3, 1, 3, 2, 1, 3, 1, 3], 0.5, 0.25) == [0, 0, 3, 2, 0, 0, 1, 3]


@pytest.mark.parametrize(("density", "gamma"), [(0.2, 0.35), (0.1, 0.2), (0.5, 0.1), (0.99, 0.0)])
def test_many_ties_are_shared_exactly_wherever_chunks_end(density: float, gamma: float) -> None:
    model = np.random.default_rng(3).choice(np.array([-3, 1, 1, 2, 2, -2], np.float32), 20_000)
    last = 20_000 - min(selection.count(gamma, 20_000), 20_000 - selection.count(density, 20_000))
    kept = selection.between(np.abs(model), last - selection.count(density, 20_000), last)
    assert masked(model, density, gamma) == np.where(kept, model, 0).tolist()


def test_without_large_ones_to_drop_it_trims_as_ties_does() -> None:
    generator = np.random.default_rng(1)
    base, *models = generator.standard_normal((4, 1234)).astype(np.float32)
    found = BreadcrumbsTies(density=0.3, gamma=0.0, normalize=True)(models, base=base)
    assert same_bits(found, Ties(density=0.3)(models, base=base))


def test_keeping_all_is_task_arithmetic_bit_for_bit() -> None:
    generator = np.random.default_rng(1)
    base, *models = generator.standard_normal((4, 333)).astype(np.float32)
    found = Breadcrumbs(density=1.0, gamma=0.3, weights=(0.5, -0.2, 0.9))(models, base=base)
    assert same_bits(found, TaskArithmetic(weights=(0.5, -0.2, 0.9))(models, base=base))


def test_each_model_has_its_own_cuts() -> None:
    model = np.arange(1, 101, dtype=np.float32)
    base = np.zeros_like(model)
    found = Breadcrumbs(density=(0.5, 0.2), gamma=(0.1, 0.0))([model, model], base=base)
    assert np.array_equal(found, np.array(masked(model, 0.5, 0.1)) + np.array(masked(model, 0.2, 0.0)))


@pytest.mark.parametrize("method", [Breadcrumbs, BreadcrumbsTies])
@pytest.mark.parametrize("gamma", [1, -0.1, 1.5, (0.1, 1.0), ()])
def test_a_gamma_out_of_its_range_is_refused(method: type[MaskedTails], gamma: float) -> None:
    with pytest.raises(MethodError, match=rf"{method.name}: gamma must be in \[0, 1\), got"):
        method(gamma=gamma)


def test_as_many_gammas_as_models_are_needed() -> None:
    with pytest.raises(MethodError, match="breadcrumbs: 3 values of gamma for 2 models"):
        Breadcrumbs(gamma=(0.1, 0.1, 0.1)).check(2, has_base=True)
    with pytest.raises(MethodError, match="breadcrumbs: the weights sum to 0"):
        Breadcrumbs(weights=(1, -1), normalize=True).check(2, has_base=True)


def test_it_reads_a_tensor_three_times_unless_it_keeps_all() -> None:
    methods = (Breadcrumbs(), Breadcrumbs(density=1.0), Breadcrumbs(density=(1.0, 0.9)))
    assert [method.passes(Site("w", (4,), 2)) for method in methods] == [3, 1, 3]
