"""SmoothQuant's divisors, beside a float64 transcription of its equation."""

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.quantize.smoothquant import SmoothQuant, smoothing
from tests.methods.quantize.test_gptq import inputs, weights
from tests.reference import awq as reference


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.85, 1.0])
def test_divisors_are_those_of_the_papers_equation(alpha: float) -> None:
    x, layers = inputs(50, 64), [weights(20, 64), weights(3, 64, seed=2)]
    found = smoothing(layers, np.abs(x).max(0), alpha)
    assert np.allclose(found, reference.smoothing(layers, x, alpha), rtol=1e-5)


def test_at_a_half_inputs_and_weights_become_equally_large() -> None:
    x, weight = inputs(50, 64), weights(20, 64)
    divisors = smoothing([weight], np.abs(x).max(0), 0.5)
    assert np.allclose(np.abs(x / divisors).max(0), np.abs(weight * divisors).max(0), rtol=1e-5)


def test_an_input_that_is_always_zero_or_that_no_weight_sees_is_divided_by_one() -> None:
    x, weight = inputs(50, 32), weights(20, 32)
    x[:, 3], weight[:, 8] = 0, 0
    divisors = smoothing([weight], np.abs(x).max(0))
    assert divisors[3] == divisors[8] == 1


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MethodError, match="inputs are rounded token by token, as w8a8, not w4a16"):
        SmoothQuant(scheme="w4a16")
    with pytest.raises(MethodError, match=r"alpha must be in \[0, 1\], got 1.5"):
        SmoothQuant(alpha=1.5)
