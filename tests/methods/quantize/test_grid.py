"""Weights on a grid of whole numbers times scales, against a slow transcription."""

from itertools import product

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.grid import Grid, Ranges, Scales, fit, from_codes, to_codes
from tests.reference.grid import grid_of

VALUES = np.random.default_rng(3).normal(scale=0.02, size=(6, 96)).astype(np.float32)
VALUES[1, :32] = 0
VALUES[2] = 0.5
VALUES[3, 7] = 30
VALUES[4] = np.arange(96) / 16 - 3  # ties
VALUES[5] = -0.25


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize(
    ("symmetric", "group", "dtype"), [*product((True, False), (32, 96, None), ("BF16", "F16", "F32"))]
)
def test_scales_zero_points_and_codes_are_those_of_the_definition(
    bits: int, symmetric: bool, group: int | None, dtype: str
) -> None:
    grid = Grid(bits, symmetric, group, dtype)
    scales, zeros, codes = grid_of(VALUES, bits, symmetric=symmetric, group=group, scale_dtype=dtype)
    found = fit(VALUES, grid)
    assert np.array_equal(found.scales, scales)
    assert np.array_equal(found.zeros, zeros)
    assert np.array_equal(to_codes(VALUES, found, grid), codes)


@pytest.mark.parametrize("symmetric", [True, False])
def test_codes_mean_code_minus_zero_point_times_scale(symmetric: bool) -> None:
    grid = Grid(4, symmetric, 32)
    scales = fit(VALUES, grid)
    codes = to_codes(VALUES, scales, grid)
    whole = codes.astype(np.int64).reshape(6, 3, 32) - scales.zeros[..., None]
    assert np.array_equal(from_codes(codes, scales, grid), (whole * scales.scales[..., None]).reshape(6, 96))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_value_is_at_most_half_a_step_away_but_where_it_is_clamped(bits: int, symmetric: bool) -> None:
    grid = Grid(bits, symmetric, 32, "F32")
    scales = fit(VALUES, grid)
    error = np.abs(from_codes(to_codes(VALUES, scales, grid), scales, grid) - VALUES).reshape(6, 3, 32)
    steps = 0.5 if symmetric else 1.0  # a rounded zero point may move the range by half a step
    assert (error <= scales.scales[..., None] * (steps + 1e-5)).all()


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("magnitude", [0.0, 1e-45, 1e-41, 6e-8, 1e-7])
def test_no_scale_is_zero_and_zeros_stay_zeros(magnitude: float, dtype: str, symmetric: bool) -> None:
    values = np.full((1, 32), magnitude, np.float32)
    values[0, ::2] = 0
    grid = Grid(4, symmetric, 32, dtype)
    scales = fit(values, grid)
    assert (scales.scales > 0).all()
    assert not from_codes(to_codes(values, scales, grid), scales, grid)[0, ::2].any()


@pytest.mark.parametrize("symmetric", [True, False])
def test_each_row_is_rounded_by_itself(symmetric: bool) -> None:
    grid = Grid(3, symmetric, 32)
    scales = fit(VALUES, grid)
    codes = to_codes(VALUES, scales, grid)
    for row in range(len(VALUES)):
        alone = fit(VALUES[row : row + 1], grid)
        assert np.array_equal(alone.scales[0], scales.scales[row])
        assert np.array_equal(to_codes(VALUES[row : row + 1], alone, grid)[0], codes[row])


def test_a_clipping_decides_the_ranges() -> None:
    def halves(values: np.ndarray, grid: Grid) -> Ranges:
        largest = np.abs(values).reshape(len(values), -1, 32).max(-1) / np.float32(2)
        return Ranges(-largest, largest)

    grid = Grid(4, group=32, scale_dtype="F32")
    assert np.array_equal(fit(VALUES[3:5], grid, halves).scales, fit(VALUES[3:5], grid).scales / 2)


@pytest.mark.parametrize(("values", "dtype"), [((np.nan, 1.0), "BF16"), ((np.inf, 1.0), "BF16"), ((1e6, 1.0), "F16")])
def test_what_has_no_scale_shows_in_its_scale(values: tuple[float, float], dtype: str) -> None:
    scales = fit(np.array([values], np.float32), Grid(4, group=None, scale_dtype=dtype))
    assert not np.isfinite(scales.scales).any()


def test_a_matrix_without_rows_has_no_codes() -> None:
    scales = fit(np.empty((0, 32), np.float32), Grid(4, group=32))
    assert to_codes(np.empty((0, 32), np.float32), scales, Grid(4, group=32)).shape == (0, 32)


def test_rows_that_are_no_whole_groups_are_refused() -> None:
    with pytest.raises(MethodError, match="rows of 96 are no whole groups of 64"):
        fit(VALUES, Grid(4, group=64))


@pytest.mark.parametrize(
    ("fault", "said"), [({"bits": 1}, "2 to 8"), ({"group": 0}, "at least one"), ({"scale_dtype": "F64"}, "BF16")]
)
def test_a_grid_that_there_is_not_is_refused(fault: dict[str, int], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        Grid(**fault)


def test_given_scales_of_any_origin_are_taken() -> None:
    scales = Scales(np.full((1, 1), 0.5, np.float32), np.full((1, 1), 1, np.int8))
    codes = to_codes(np.array([[0.25, 0.75, -4, 9]], np.float32), scales, Grid(4, symmetric=False, group=None))
    assert codes.tolist() == [[2, 2, -7, 7]]
