"""Grids of quantizations: found where values lie on one, never where they do not."""

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from lineal.engines.compare.kinship.grid import grid_of
from tests.builders import Array
from tests.trained_llamas import on_float8, on_integers, trained_like


def with_a_zero_point(x: Array) -> Array:
    """Four bits between the least and the greatest value of each row."""
    low, step = x.min(axis=1, keepdims=True), np.ptp(x, axis=1, keepdims=True) / 15
    return np.round((x - low) / step) * step + low


WEIGHTS = trained_like(1)["model.layers.0.mlp.down_proj.weight"]


@pytest.mark.parametrize(
    ("rounded", "scheme"),
    [
        (on_integers(7), "int4"),
        (on_integers(8, 32), "int4"),
        (on_integers(127), "int8"),
        (on_integers(127, 32), "int8"),
        (on_float8, "fp8"),
        (with_a_zero_point, "int4"),
    ],
    ids=["int4 rows", "int4 groups", "int8 rows", "int8 groups", "float8", "int4 with a zero point"],
)
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=["F32", "BF16"])
def test_a_rounded_matrix_lies_within_half_a_step_of_what_was_rounded(
    rounded: Callable[[Array], Array], scheme: str, dtype: type
) -> None:
    values = rounded(WEIGHTS).astype(dtype).astype(np.float32)
    grid = grid_of(values)
    assert grid is not None
    assert grid.scheme == scheme
    assert (np.abs(values - WEIGHTS) <= 0.55 * grid.steps).mean() > 0.95


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_weights_as_training_leaves_them_lie_on_no_grid(dtype: type) -> None:
    for seed in range(3):
        assert all(
            grid_of(x.astype(dtype).astype(np.float32)) is None for x in trained_like(seed).values() if x.ndim > 1
        )


def test_pruned_weights_lie_on_no_grid() -> None:
    assert grid_of(np.where(np.abs(WEIGHTS) < np.median(np.abs(WEIGHTS)), 0, WEIGHTS).astype(np.float32)) is None


def test_constant_rows_lie_on_no_grid() -> None:
    assert grid_of(np.zeros((16, 64), np.float32)) is None
    assert grid_of(np.ones((16, 64), np.float32)) is None
