"""Nearswap and passthrough: what they do to single entries."""

import math

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.methods.merge.nearswap import Nearswap
from lineal.methods.merge.passthrough import Passthrough
from tests.builders import same_bits

BASE = np.array([0, 1, -1, 2, -2, 0], np.float32)
MODEL = np.array([0, 1.25, -1.25, 3, -4, -0.25], np.float32)


def test_near_entries_become_the_model_s_and_far_ones_move_by_t() -> None:
    assert Nearswap(t=0.25)([MODEL], base=BASE).tolist() == [0, 1.25, -1.25, 2.25, -2.25, -0.25]


def test_with_t_0_nothing_moves_and_with_a_large_one_all_becomes_the_model() -> None:
    assert same_bits(Nearswap(t=0)([MODEL], base=BASE), BASE)
    assert same_bits(Nearswap(t=3e38)([MODEL], base=BASE), MODEL)


@pytest.mark.parametrize("t", [-0.1, math.nan, math.inf, 1e39])
def test_a_move_that_is_no_length_is_refused(t: float) -> None:
    with pytest.raises(MethodError, match=r"^nearswap: t must be finite in float32 and not negative, got"):
        Nearswap(t=t)


def test_t_has_no_default() -> None:
    with pytest.raises(MethodError, match=r"^nearswap: the option 't' is needed$"):
        Nearswap.from_options({})


def test_nearswap_of_two_models_is_refused() -> None:
    with pytest.raises(MethodError, match=r"^nearswap: exactly one model is needed beside the base, got 2$"):
        Nearswap(t=1)([MODEL, MODEL], base=BASE)


def test_passthrough_keeps_every_bit_and_scale_multiplies() -> None:
    odd = np.array([-0.0, 1e-45, 3e38, -1.5], np.float32)
    assert same_bits(Passthrough()([odd]), odd)
    assert same_bits(Passthrough(scale=-0.1)([odd]), np.float32(-0.1) * odd)


def test_passthrough_refuses_two_models_and_a_scale_that_float32_does_not_know() -> None:
    with pytest.raises(MethodError, match=r"^passthrough: exactly one model is needed, got 2$"):
        Passthrough()([MODEL, MODEL])
    with pytest.raises(MethodError, match=r"^passthrough: scale must be finite in float32"):
        Passthrough(scale=1e39)
