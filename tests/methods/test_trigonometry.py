"""Sine, cosine and arc cosine without a library: close to it everywhere they are used."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from lineal.methods.exact.trigonometry import arccos, cos, sin

NEAR_ENDS = [10.0**-k for k in range(1, 17)]
COSINES = [*np.linspace(-1, 1, 4001).tolist(), *(1 - e for e in NEAR_ENDS), *(e - 1 for e in NEAR_ENDS), *NEAR_ENDS]
ANGLES = [*np.linspace(0, math.pi, 4001).tolist(), *(math.pi - e for e in NEAR_ENDS), *NEAR_ENDS, 5e-324]
BEYOND = [*np.linspace(-7, 7, 2001).tolist(), *(sign * 10.0**k for sign in (-1, 1) for k in range(1, 7))]
"""Angles past half a turn: weights may lead beyond the ends of an arc."""

ARCCOS = ["0x1.359d26f93b6c1p+1", "0x1.787b22ce3f590p+0", "0x1.1bcb1bf271f69p-5"]
SIN = ["0x1.2e9cd95baba34p-2", "0x1.aed548f090ceep-1", "0x1.326af0dcfcaaep-1"]


@pytest.mark.parametrize(
    ("ours", "library", "points"),
    [(arccos, math.acos, COSINES), (sin, math.sin, ANGLES), (cos, math.cos, ANGLES)],
    ids=["arccos", "sin", "cos"],
)
def test_it_agrees_with_the_library(
    ours: Callable[[float], float], library: Callable[[float], float], points: list[float]
) -> None:
    for x in points:
        assert ours(x) == pytest.approx(library(x), rel=2e-15, abs=1e-15)


@pytest.mark.parametrize(("ours", "library"), [(sin, math.sin), (cos, math.cos)], ids=["sin", "cos"])
def test_beyond_half_a_turn_it_loses_only_what_the_angle_s_rounding_does(
    ours: Callable[[float], float], library: Callable[[float], float]
) -> None:
    for x in BEYOND:
        assert ours(x) == pytest.approx(library(x), rel=0, abs=1e-15 + 3e-16 * abs(x))


def test_the_sine_is_odd_and_the_cosine_even() -> None:
    for x in BEYOND:
        assert (sin(-x), cos(-x)) == (-sin(x), cos(x))


def test_the_ends_are_exact() -> None:
    assert (arccos(1.0), arccos(-1.0), sin(0.0), cos(0.0)) == (0.0, math.pi, 0.0, 1.0)


def test_what_rounding_pushed_out_of_the_domain_is_the_end() -> None:
    assert (arccos(1 + 1e-15), arccos(-1 - 1e-15)) == (0.0, math.pi)


def test_these_bits_are_the_same_on_every_machine() -> None:
    assert [arccos(x).hex() for x in (-0.75, 0.1, 0.9994)] == ARCCOS
    assert [sin(x).hex() for x in (0.3, 1.0, 2.5)] == SIN
