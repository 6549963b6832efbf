"""Exponential and logarithm from + - x and / alone: the same bits on every IEEE machine."""

import math

import numpy as np

from lineal.kernels.kernel import kernel

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
"""ln 2 in two parts; small multiples of the first are exact."""
_SMALLEST = -708.0
"""Below it e^x is no normal float64."""
_SERIES = tuple(1 / math.factorial(n) for n in range(13, -1, -1))


@kernel
def exp_to_zero(x: float) -> float:
    """e^x for x up to 0, and e^-708 for what is less or no number.

    Taylor's series for what is left of x beside the nearest multiple of ln 2.
    """
    x = max(_SMALLEST, x)  # in this order, for a NaN is not larger
    exponent = np.int32(x * _LOG2_E - 0.5)
    rest = x - exponent * _LN2_HIGH - exponent * _LN2_LOW
    total = 0.0
    for coefficient in _SERIES:
        total = total * rest + coefficient
    return total * np.int64(np.int64(exponent + 1023) << np.int64(52)).view(np.float64)


@kernel
def log(x: float) -> float:
    """log(x) for a positive x: halved or doubled into [3/4, 3/2], then the series of 2 artanh((x - 1) / (x + 1))."""
    exponent = 0
    while x > 1.5:
        x *= 0.5
        exponent += 1
    while x < 0.75:
        x *= 2
        exponent -= 1
    t = (x - 1) / (x + 1)
    power, total = t, 0.0
    for n in range(12):
        total += power / (2 * n + 1)
        power *= t * t
    return 2 * total + exponent * _LN2_LOW + exponent * _LN2_HIGH
