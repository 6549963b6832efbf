"""Clipped ranges against a search in float64 and against their definition."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.clipping import SHARES, Percentile, clipping_named, mse
from lineal.methods.quantize.grid import MIN_MAX, Grid, Ranges, fit, from_codes, min_max, scales_of, to_codes
from tests.builders import Array

GRIDS = [
    Grid(bits, symmetric, group, dtype)
    for bits, group, dtype in ((2, 32, "BF16"), (3, 16, "F16"), (4, 32, "F32"), (4, None, "BF16"), (8, 32, "BF16"))
    for symmetric in (True, False)
]


def sample(seed: int = 0) -> Array:
    """Rows of normal weights, of weights far from 0, with outliers, of one value, of zeros, of tiny ones."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((16, 64)).astype(np.float32) * np.float32(0.02)
    values[1] += np.float32(0.1)
    values[2, 7], values[3, 40] = 0.5, -1
    values[4], values[5], values[6, :32] = 0.25, 0, 0
    values[7] *= np.float32(1e-38)
    return values


def errors(values: Array, ranges: Ranges, grid: Grid) -> Array:
    """The squares that rounding to these ranges loses, in float64, [rows, groups]."""
    scales = scales_of(ranges, grid)
    moved = from_codes(to_codes(values, scales, grid), scales, grid).astype(np.float64) - values
    return (moved**2).reshape(len(values), scales.scales.shape[1], -1).sum(axis=2)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_mse_takes_the_share_with_the_least_error_and_never_loses_against_min_max(grid: Grid) -> None:
    values = sample()
    found, whole = mse(values, grid), min_max(values, grid)
    tried = np.stack([errors(values, Ranges(whole.lows * share, whole.highs * share), grid) for share in SHARES])
    chosen = errors(values, found, grid)
    assert (chosen <= tried[0] * (1 + 1e-12)).all()
    np.testing.assert_allclose(chosen, tried.min(axis=0), rtol=1e-12)
    if grid.bits < 8:
        assert chosen.sum() < 0.98 * tried[0].sum()


@pytest.mark.parametrize("symmetric", [True, False])
def test_rows_do_not_depend_on_each_other(symmetric: bool) -> None:
    values, grid = np.concatenate([sample(seed) for seed in range(40)]), Grid(3, symmetric, 16)
    whole = mse(values, grid)
    for rows in (slice(0, 1), slice(100, 357), slice(639, 640)):
        part = mse(values[rows], grid)
        assert part.lows.tobytes() == whole.lows[rows].tobytes()
        assert part.highs.tobytes() == whole.highs[rows].tobytes()


def test_a_range_that_is_best_whole_stays_whole() -> None:
    values = np.arange(-5, 11, dtype=np.float32)[None]
    found = mse(values, Grid(4, symmetric=False, group=None, scale_dtype="F32"))
    assert (found.lows.tolist(), found.highs.tolist()) == ([[-5]], [[10]])
    zeros = np.zeros((2, 32), np.float32)
    assert not mse(zeros, Grid(4, group=32)).highs.any()


def test_a_percentile_clips_as_many_values_as_it_says() -> None:
    values = np.random.default_rng(1).permutation(np.arange(-500, 500, dtype=np.float32))[None]
    symmetric = Percentile(99)(values, Grid(4, group=None))
    assert symmetric == Ranges(-symmetric.highs, symmetric.highs)
    assert int((abs(values) > symmetric.highs).sum()) in (9, 10)
    low, high = Percentile(98)(values, Grid(4, symmetric=False, group=None))
    assert (int((values < low).sum()), int((values > high).sum())) == (9, 9)


def test_a_percentile_of_few_values_clips_nothing() -> None:
    values = sample()
    for grid in GRIDS:
        whole = fit(values, grid, MIN_MAX)
        for percent in (100, 99.9):
            assert fit(values, grid, Percentile(percent)).scales.tolist() == whole.scales.tolist()


def test_clippings_by_name() -> None:
    assert clipping_named("min_max", "rtn") is MIN_MAX
    assert clipping_named("mse", "rtn") is mse
    assert clipping_named("percentile:99.9", "rtn") == Percentile(99.9)


@pytest.mark.parametrize("written", ["", "max", "percentile", "percentile:50", "percentile:101", "percentile:nan"])
def test_another_name_is_refused(written: str) -> None:
    with pytest.raises(MethodError, match=r"rtn: clipping is min_max, mse, or percentile"):
        clipping_named(written, "rtn")
