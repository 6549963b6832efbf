"""Exponential and logarithm without a library: close to it everywhere they are used."""

import math

import numpy as np
import pytest

from lineal.methods.exact.exponential import exp_to_zero, log

NEAR_ZERO = [10.0**-k for k in range(1, 21)]
EXPONENTS = [*(-np.linspace(0, 708, 7081)).tolist(), *(-np.linspace(0, 3, 3001)).tolist(), *(-x for x in NEAR_ZERO)]
RATIOS = [*np.linspace(0.5, 2, 3001).tolist(), *(10.0**k for k in range(-300, 301, 10)), *(1 + x for x in NEAR_ZERO)]

EXP = ["0x1.ffb6d27acdd4cp-4", "0x1.78b56362cef38p-2", "0x1.1b48655f37267p-29"]
LOG = ["-0x1.269621134db92p-2", "0x1.62e42fefa39efp-1", "0x1.26bb1bbb55516p+3"]


def test_the_exponential_agrees_with_the_library() -> None:
    for x in EXPONENTS:
        assert exp_to_zero(x) == pytest.approx(math.exp(x), rel=5e-16)


def test_the_logarithm_agrees_with_the_library() -> None:
    for x in RATIOS:
        assert log(x) == pytest.approx(math.log(x), rel=5e-16, abs=1e-17)


def test_what_would_be_no_normal_number_is_the_smallest_exponential() -> None:
    smallest = exp_to_zero(-708.0)
    assert smallest == pytest.approx(math.exp(-708), rel=5e-16)
    assert [exp_to_zero(x) for x in (-709.0, -1e300, -math.inf, math.nan)] == [smallest] * 4


def test_the_ends_are_exact() -> None:
    assert (exp_to_zero(0.0), exp_to_zero(-0.0), log(1.0)) == (1.0, 1.0, 0.0)


def test_these_bits_are_the_same_on_every_machine() -> None:
    assert [exp_to_zero(x).hex() for x in (-2.08, -1.0, -20.0)] == EXP
    assert [log(x).hex() for x in (0.75, 2.0, 1e4)] == LOG
