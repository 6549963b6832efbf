"""Sine and arc cosine from + - x / and square root alone, so that they are the same bits on every IEEE machine."""

import math


def arccos(x: float) -> float:
    """arccos(x) in [0, pi] for x in [-1, 1], by arccos(x) = 2 arctan(sqrt((1 - x) / (1 + x)))."""
    if x <= -1:
        return math.pi
    return 2 * _arctan(math.sqrt((1 - x) / (1 + x))) if x < 1 else 0.0


def sin(x: float) -> float:
    """sin(x) for x in [0, pi], by its Taylor series after folding at pi/2 and dividing the angle by three twice."""
    folded = math.pi - x if x > math.pi / 2 else x
    third = folded / 9
    term = total = third
    for n in range(1, 9):
        term *= -third * third / (2 * n * (2 * n + 1))
        total += term
    for _ in range(2):
        total = 3 * total - 4 * total * total * total
    return total


def _arctan(x: float) -> float:
    """arctan(x) for x >= 0: halve the angle four times, then the Taylor series."""
    for _ in range(4):
        x = x / (1 + math.sqrt(1 + x * x))
    square, power, total = x * x, x, 0.0
    for n in range(14):
        total += power / (2 * n + 1)
        power *= -square
    return 16 * total
