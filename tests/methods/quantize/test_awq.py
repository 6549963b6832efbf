"""AWQ's scales of columns and its clipping, beside float64 transcriptions."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.awq import Awq, column_scales
from lineal.methods.quantize.grid import Grid, fit, from_codes, min_max, to_codes
from lineal.methods.quantize.output_clipping import output_clipping
from tests.builders import Array
from tests.methods.quantize.test_gptq import inputs, weights
from tests.reference import awq as reference
from tests.reference.gptq import output_error


def magnitudes_of(x: Array) -> Array:
    return np.abs(x).mean(0, dtype=np.float64)


@pytest.mark.parametrize(("bits", "group", "symmetric"), [(3, 32, True), (4, 64, False), (4, None, True)])
def test_scales_are_those_of_the_papers_equations(bits: int, group: int | None, symmetric: bool) -> None:
    x, layers = inputs(300, 64), [weights(20, 64), weights(7, 64, seed=2)]
    found = column_scales(layers, x, magnitudes_of(x), Grid(bits, symmetric, group), 20)
    expected = reference.column_scales(layers, x, magnitudes_of(x), bits, group or 64, 20, symmetric=symmetric)
    assert not np.allclose(expected, 1)
    assert np.allclose(found, expected, rtol=1e-5)


def test_columns_with_large_inputs_are_rounded_better() -> None:
    x, weight, grid = inputs(500, 128), weights(40, 128), Grid(3, True, 32)
    x[:, ::16] *= 20
    scales = column_scales([weight], x, magnitudes_of(x), grid)
    found = fit(weight * scales, grid)
    stored = from_codes(to_codes(weight * scales, found, grid), found, grid) / scales
    plain = fit(weight, grid)
    moment = x.T.astype(np.float64) @ x
    errors = [
        output_error(weight, one, moment) for one in (stored, from_codes(to_codes(weight, plain, grid), plain, grid))
    ]
    assert errors[0] < 0.7 * errors[1]


def test_an_input_that_is_always_zero_leaves_its_column_alone() -> None:
    x, weight = inputs(100, 32), weights(8, 32)
    x[:, 5] = 0
    scales = column_scales([weight], x, magnitudes_of(x), Grid(3, True, 32))
    assert scales[5] == 1
    assert np.isfinite(scales).all()
    assert (scales > 0).all()
    assert np.array_equal(column_scales([weight], 0 * x, magnitudes_of(0 * x), Grid(3, True, 32)), np.ones(32))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("tokens", [20, 200])
def test_ranges_are_clipped_to_the_share_that_leaves_the_least_error(symmetric: bool, tokens: int) -> None:
    """With less tokens than a group has columns, and with more."""
    x, weight, grid = inputs(tokens, 64), weights(300, 64), Grid(3, symmetric, 32)
    weight[:, ::9] *= 3
    whole, found = min_max(weight, grid), output_clipping(x)(weight, grid)
    for group in (0, 1):
        columns = slice(32 * group, 32 * group + 32)
        shares = [1 - step / 20 for step in range(10)]
        errors = np.array(
            [reference.clipped_error(weight[:, columns], x[:, columns], one, 3, symmetric=symmetric) for one in shares]
        )
        chosen = np.rint(20 * found.highs[:, group] / whole.highs[:, group]).astype(int)
        taken = errors[20 - chosen, np.arange(len(weight))]
        assert len(set(chosen)) > 3
        assert np.all(taken <= errors.min(0) * 1.001)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(MethodError, match="awq: steps must be from 1 to 100, got 0"):
        Awq(steps=0)
    with pytest.raises(MethodError, match=r"awq: rounds to whole numbers.*fp8_dynamic"):
        Awq(scheme="fp8_dynamic")
