"""Sine, cosine and arc cosine from + - x / and square root alone: the same bits on every IEEE machine."""

import math

from lineal.kernels.kernel import kernel


@kernel
def arccos(x: float) -> float:
    """arccos(x) in [0, pi] for x in [-1, 1], by arccos(x) = 2 arctan(sqrt((1 - x) / (1 + x)))."""
    if x <= -1:
        return math.pi
    return 2 * _arctan(math.sqrt((1 - x) / (1 + x))) if x < 1 else 0.0


@kernel
def sin(x: float) -> float:
    """sin(x): half turns taken off, folded at pi/2, the angle divided by three twice, then the Taylor series."""
    half_turns = int(abs(x) / math.pi)
    rest = abs(x) - half_turns * math.pi
    folded = math.pi - rest if rest > math.pi / 2 else rest
    third = folded / 9
    term = total = third
    for n in range(1, 9):
        term *= -third * third / (2 * n * (2 * n + 1))
        total += term
    for _ in range(2):
        total = 3 * total - 4 * total * total * total
    return total if (half_turns % 2 == 0) == (x >= 0) else -total


@kernel
def cos(x: float) -> float:
    """cos(x) = 1 - 2 sin(x/2)^2."""
    half = sin(x / 2)
    return 1 - 2 * half * half


@kernel
def _arctan(x: float) -> float:
    """arctan(x) for x >= 0: halve the angle four times, then the Taylor series."""
    for _ in range(4):
        x = x / (1 + math.sqrt(1 + x * x))
    square, power, total = x * x, x, 0.0
    for n in range(14):
        total += power / (2 * n + 1)
        power *= -square
    return 16 * total
