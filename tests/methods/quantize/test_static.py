"""Observers of what layers multiply, and the scales that are stored of it."""

import ml_dtypes
import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.activation_range import ActivationRange
from lineal.methods.quantize.rtn import RoundToNearest
from lineal.methods.quantize.static import StaticScales, input_scale, nearest_e4m3, nearest_int8
from tests.builders import Array


def heavy(seed: int = 0) -> Array:
    """Three portions of inputs with few that are very large."""
    drawn = np.random.default_rng(seed).standard_t(3, (3, 400, 32)).astype(np.float32)
    drawn[1, 7, 5] = -200
    return drawn


def seen(portions: Array) -> ActivationRange:
    found = ActivationRange()
    for portion in portions:
        found.add(portion)
    return found


def test_min_max_is_the_largest_magnitude_of_all() -> None:
    assert seen(heavy()).found("min_max", nearest_int8) == 200


def test_a_moving_average_begins_with_the_first_portion_and_takes_a_hundredth_of_each() -> None:
    largest = [float(np.abs(portion).max()) for portion in heavy()]
    expected = largest[0]
    for one in largest[1:]:
        expected += 0.01 * (one - expected)
    assert seen(heavy()).found("moving_average", nearest_int8) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("percentile", [50.0, 99.0, 99.99])
def test_a_percentile_is_that_of_the_magnitudes_to_a_128th(percentile: float) -> None:
    magnitudes = np.sort(np.abs(heavy()).reshape(-1))
    exact = magnitudes[int(np.ceil(len(magnitudes) * percentile / 100)) - 1]
    found = seen(heavy()).found("percentile", nearest_int8, percentile)
    assert exact <= found <= exact * (1 + 1 / 128)


def test_at_a_hundred_percent_it_is_the_largest() -> None:
    assert seen(heavy()).found("percentile", nearest_int8, 100) == 200


@pytest.mark.parametrize("nearest", [nearest_int8, nearest_e4m3])
def test_the_least_squares_are_as_small_as_those_of_any_share_of_the_largest(nearest: object) -> None:
    values = heavy().reshape(-1)
    found = seen(heavy()).found("mse", nearest)  # type: ignore[arg-type]
    errors = [_error(values, np.float32(share * 200), nearest) for share in np.linspace(0.2, 1, 200)]
    assert _error(values, found, nearest) <= 1.02 * min(errors)


def test_int8_is_clipped_where_one_value_is_far_above_all_others() -> None:
    assert seen(heavy()).found("mse", nearest_int8) < 180


def _error(values: Array, greatest: np.float32, nearest: object) -> float:
    return float(np.square(values - nearest(np.abs(values), greatest) * np.sign(values), dtype=np.float64).sum())  # type: ignore[operator]


@pytest.mark.parametrize(("is_float", "most"), [(True, 448), (False, 127.5)])
def test_the_scale_is_a_number_of_the_models_dtype(is_float: bool, most: float) -> None:
    found = input_scale(np.float32(10.3), "BF16", is_float=is_float)
    assert found.shape == (1,)
    assert found[0] == np.float32(ml_dtypes.bfloat16(np.float32(10.3) / np.float32(most)))
    assert input_scale(np.float32(0), "BF16", is_float=is_float)[0] > 0


def test_only_schemes_with_scales_of_inputs_are_static() -> None:
    with pytest.raises(MethodError, match="fp8 and w8a8_static, not w4a16"):
        StaticScales(scheme="w4a16")
    with pytest.raises(MethodError, match="take method static; w8a8 needs none"):
        RoundToNearest(scheme="w8a8_static")
    with pytest.raises(MethodError, match=r"percentile must be in \(0, 100\]"):
        StaticScales(percentile=0)
