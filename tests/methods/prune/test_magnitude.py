"""Magnitude pruning by hand-computed cases: what goes, what stays, and what zeros are."""

import numpy as np
import pytest
import torch
from torch.nn.utils import prune as torch_prune

from lineal.errors import MethodError
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.streaming import Site
from tests.builders import Array, same_bits


def pruned(values: list[float] | Array, sparsity: float, scope: str = "tensor") -> Array:
    method = MagnitudePruning.from_options({"sparsity": sparsity, "scope": scope})
    return method([np.asarray(values, np.float32)])


def test_the_smallest_magnitudes_become_zero() -> None:
    assert pruned([3, -1, 2, -4, 0.5, 6], 0.5).tolist() == [3, 0, 0, -4, 0, 6]


def test_each_row_gives_its_own_share() -> None:
    weight = [[1.0, 2, 3, 4], [50, -60, 70, -80], [8, 7, -6, 5]]
    assert pruned(weight, 0.5, "row").tolist() == [[0, 0, 3, 4], [0, 0, 70, -80], [8, 7, 0, 0]]
    assert pruned(weight, 0.5, "tensor").tolist() == [[0, 0, 0, 0], [50, -60, 70, -80], [8, 7, 0, 0]]


def test_a_row_is_the_input_weights_of_one_output() -> None:
    assert MagnitudePruning(sparsity=0.5, scope="row").unit(Site("w", (7, 11), 1)) == 11
    assert MagnitudePruning(sparsity=0.5).unit(Site("w", (7, 11), 1)) == 1


@pytest.mark.parametrize("scope", ["tensor", "row"])
def test_of_equal_magnitudes_those_that_stay_are_spread_evenly(scope: str) -> None:
    assert pruned([1, -1, 1, 5, -1, 1], 0.5, scope).tolist() == [0, 0, 1, 5, 0, 1]
    assert pruned([2, 2, 1, 2, 2], 0.6, scope).tolist() == [0, 2, 0, 0, 2]
    assert pruned([2, 2, 1, 2, 2], 0.2, scope).tolist() == [2, 2, 0, 2, 2]


@pytest.mark.parametrize("scope", ["tensor", "row"])
@pytest.mark.parametrize(("sparsity", "zeros"), [(0.0, 0), (0.009, 0), (0.01, 1), (0.29, 29), (0.5, 50), (0.999, 99)])
def test_the_integer_part_of_the_share_becomes_zero(scope: str, sparsity: float, zeros: int) -> None:
    assert np.count_nonzero(pruned(np.ones(100), sparsity, scope) == 0) == zeros


@pytest.mark.parametrize("scope", ["tensor", "row"])
def test_zeros_count_among_the_smallest(scope: str) -> None:
    assert pruned([0, 3, 0, 1, 2, 0], 0.5, scope).tolist() == [0, 3, 0, 1, 2, 0]
    assert pruned([0, 3, 0, 1, 2, 4], 0.5, scope).tolist() == [0, 3, 0, 0, 2, 4]


@pytest.mark.parametrize("scope", ["tensor", "row"])
def test_what_is_pruned_is_positive_zero_and_what_is_kept_keeps_its_sign(scope: str) -> None:
    found = pruned([-0.0, -1, 5, -0.0, -7, -0.0], 0.5, scope)
    assert same_bits(found, np.array([0.0, -1, 5, 0.0, -7, 0.0], np.float32))
    found = pruned([-0.0, -1, 5, -0.0, -7, -0.0], 0.2, scope)
    assert same_bits(found, np.array([0.0, -1, 5, -0.0, -7, -0.0], np.float32))


@pytest.mark.parametrize("scope", ["tensor", "row"])
def test_the_smallest_denormals_are_told_apart_and_infinity_and_nan_go_last(scope: str) -> None:
    values = np.array([np.nan, 3e-45, -1e-45, np.inf, -3e38, 1.2e-38], np.float32)
    expected = values.copy()
    expected[[1, 2, 5]] = 0
    assert same_bits(pruned(values, 0.5, scope), expected)
    expected[[4]] = 0
    assert same_bits(pruned(values, 0.7, scope), expected)


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.85])
def test_it_zeroes_what_torch_zeroes_where_nothing_ties(sparsity: float) -> None:
    weight = np.random.default_rng(1).standard_normal((20, 30)).astype(np.float32)
    layer = torch.nn.Linear(30, 20)
    layer.weight.data = torch.from_numpy(weight.copy())
    torch_prune.l1_unstructured(layer, "weight", amount=sparsity)
    assert np.array_equal(pruned(weight, sparsity), layer.weight.detach().numpy())


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.85])
def test_rows_are_those_of_a_sort_as_wanda_sorts_them_where_nothing_ties(sparsity: float) -> None:
    weight = torch.from_numpy(np.random.default_rng(1).standard_normal((20, 30)).astype(np.float32))
    indices = torch.sort(weight.abs(), dim=-1, stable=True)[1][:, : int(30 * sparsity)]
    expected = weight.scatter(1, indices, 0.0).numpy()
    assert np.array_equal(pruned(weight.numpy(), sparsity, "row"), expected)


@pytest.mark.parametrize("sparsity", [0.1, 0.3, 0.5, 0.85])
def test_a_row_is_pruned_as_a_tensor_would_be(sparsity: float) -> None:
    weight = np.random.default_rng(1).integers(-5, 6, (20, 300)).astype(np.float32)
    by_tensor = np.stack([pruned(row, sparsity) for row in weight])
    assert same_bits(pruned(weight, sparsity, "row"), by_tensor)


@pytest.mark.parametrize("sparsity", [1, 1.0, -0.1, float("nan"), float("inf"), 2])
def test_a_share_outside_zero_to_one_is_refused(sparsity: float) -> None:
    with pytest.raises(MethodError, match=r"magnitude: sparsity must be in \[0, 1\), got"):
        MagnitudePruning(sparsity=sparsity)
    with pytest.raises(MethodError, match="magnitude: sparsity"):
        MagnitudePruning.from_options({"sparsity": sparsity})


def test_the_share_is_needed() -> None:
    with pytest.raises(MethodError, match="magnitude: the option 'sparsity' is needed"):
        MagnitudePruning.from_options({})


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(MethodError, match="magnitude: scope must be one of tensor, row, got 'column'"):
        MagnitudePruning.from_options({"sparsity": 0.5, "scope": "column"})
    with pytest.raises(MethodError, match="magnitude: scope must be one of tensor, row, got 'column'"):
        MagnitudePruning(sparsity=0.5, scope="column")  # pyright: ignore[reportArgumentType]


def test_two_models_are_refused() -> None:
    with pytest.raises(MethodError, match="magnitude: one model is pruned at a time, got 2"):
        MagnitudePruning(sparsity=0.5)([np.ones(3, np.float32)] * 2)


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (MagnitudePruning(sparsity=0.5), 3),
        (MagnitudePruning(sparsity=0.0), 1),
        (MagnitudePruning(sparsity=0.5, scope="row"), 1),
    ],
)
def test_it_reads_a_tensor_as_often_as_it_says(method: MagnitudePruning, passes: int) -> None:
    site = Site("w", (0, 4), 1)
    assert method.passes(site) == passes == len(list(method.sweeps(site)))
