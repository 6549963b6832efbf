"""SCE by hand-computed cases: what is selected, how models are weighed, whose sign counts."""

from typing import Any

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.sce import Sce
from lineal.methods.streaming import Site
from tests.builders import Array


def merged(*models: list[float] | Array, **options: Any) -> list[float]:
    stack = [np.asarray(model, np.float32) for model in models]
    return Sce(**options)(stack, base=np.zeros_like(stack[0])).tolist()


def test_a_model_s_weight_is_its_share_of_the_squares() -> None:
    # squares 4 * 4 and 4 * 1: weights 0.8 and 0.2
    assert merged([2, 2, 2, 2], [1, 1, 1, 1]) == pytest.approx([1.8] * 4, rel=1e-6)


def test_changes_however_small_are_weighed() -> None:
    small = np.float32(1e-5)
    assert merged([2 * small] * 4, [small] * 4) == pytest.approx([1.8e-5] * 4, rel=1e-6)


def test_those_that_agree_with_the_sign_of_the_sum_are_averaged() -> None:
    # squares 25 + 1, 4 + 1, 4 + 9: weights 26/44, 5/44, 13/44
    assert merged([5, 1], [-2, 1], [-2, -3]) == pytest.approx([5, -3], rel=1e-6)
    assert merged([5, 4], [1, -1], [3, -2]) == pytest.approx([(41 * 5 + 2 + 13 * 3) / 56, 4], rel=1e-6)


def test_in_the_election_each_model_counts_once_however_heavy() -> None:
    # the first weighs the most, but the sum 3 - 2 - 2 is negative
    assert merged([3, 100], [-2, 1], [-2, 1])[0] == pytest.approx(-2, rel=1e-6)


def test_the_positions_that_vary_most_are_selected() -> None:
    first, second = [1, 5, -3, 2, 7], [1, 1, 3, 2.5, 7]  # |differences| 0, 4, 6, 0.5, 0
    assert np.nonzero(merged(first, second, select_topk=0.2))[0].tolist() == [2]
    assert np.nonzero(merged(first, second, select_topk=0.4))[0].tolist() == [1, 2]
    assert np.nonzero(merged(first, second, select_topk=0.6))[0].tolist() == [1, 2, 3]


def test_only_what_is_selected_weighs() -> None:
    # selected is position 1: squares 25 and 1; had all counted, the second model would weigh more
    assert merged([1, 5, 0], [1.5, 1, 0.5], select_topk=0.4)[1] == pytest.approx((25 * 5 + 1) / 26, rel=1e-6)


def test_of_positions_that_tie_for_the_last_places_some_are_selected_spread_evenly() -> None:
    first, second = [1, 2, 3, 4, 5], [2, 3, 4, 9, 6]
    assert np.nonzero(merged(first, second, select_topk=0.4))[0].tolist() == [3, 4]
    assert np.nonzero(merged(first, second, select_topk=0.6))[0].tolist() == [1, 3, 4]
    assert np.nonzero(merged(first, second, select_topk=0.2))[0].tolist() == [3]


def test_positions_that_do_not_vary_are_selected_like_others() -> None:
    assert np.nonzero(merged([1, 2, 3, 4], [1, 2, 3, 4], select_topk=0.5))[0].tolist() == [1, 3]


@pytest.mark.parametrize(("share", "selected"), [(0.001, 1), (0.29, 29), (0.5, 50), (0.999, 99), (1.0, 100)])
def test_the_integer_part_of_the_share_is_selected_but_at_least_one(share: float, selected: int) -> None:
    model = np.arange(1, 101, dtype=np.float32)
    assert np.count_nonzero(merged(model, 2 * model, select_topk=share)) == selected


def test_the_variance_is_that_of_the_task_vectors_of_all_models() -> None:
    generator = np.random.default_rng(1)
    base, *models = generator.standard_normal((5, 3000)).astype(np.float32)
    found = Sce(select_topk=0.1)(models, base=base)
    variances = np.var(np.stack(models).astype(np.float64), axis=0)
    assert np.array_equal(found != base, variances >= np.sort(variances)[-300])


def test_models_that_change_nothing_give_the_base() -> None:
    assert merged([0, 0], [0, 0]) == merged([0, 0], [0, 0], select_topk=0.5) == [0, 0]


@pytest.mark.parametrize("share", [0, -0.5, 1.1])
def test_a_share_out_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(MethodError, match=r"sce: select_topk must be in \(0, 1\], got"):
        Sce(select_topk=share)


def test_one_model_is_refused() -> None:
    with pytest.raises(MethodError, match=r"sce: at least two models are needed, .*, got 1"):
        Sce().check(1, has_base=True)


def test_it_reads_a_tensor_four_times_and_twice_where_all_is_selected() -> None:
    assert (Sce(select_topk=0.5).passes(Site("w", (4,), 2)), Sce().passes(Site("w", (4,), 2))) == (4, 2)
