"""float32 arithmetic one scalar at a time, with a product and its sum rounded twice or once, exactly."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

F = np.float32


def rounded(exact: Fraction) -> Any:
    """The float32 nearest to a number, ties to even."""
    if exact == 0:
        return F(0)
    size, sign = abs(exact), -1 if exact < 0 else 1
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    step = Fraction(2) ** (max(exponent, -126) - 23)
    whole = round(size / step)  # Python rounds ties to even
    return F(sign * float(whole * step)) if whole * step < 2**128 else F(sign * np.inf)


@dataclass(frozen=True)
class Arithmetic:
    """fused: products are not rounded before they are added to."""

    fused: bool

    def add(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c."""
        a, b, c = F(a), F(b), F(c)
        if not self.fused:
            return a * b + c
        near = float(a) * float(b) + float(c)  # of an exact product, so at most one step from the sum
        low, high = F(math.nextafter(near, -math.inf)), F(math.nextafter(near, math.inf))
        if low == high != 0 or not math.isfinite(near):
            return low
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        return rounded(exact) if exact else a * b + c

    def nearest_product(self, a: Any, b: Any) -> int:
        return lowest_bits(self.add(a, b, 12582912))


PLAIN, FUSED = Arithmetic(False), Arithmetic(True)


def nearest(value: Any) -> int:
    return lowest_bits(F(value) + F(12582912))


def lowest_bits(value: Any) -> int:
    return (int(F(value).view(np.int32)) & 0x7FFFFF) - 0x400000


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def half(value: Any) -> bytes:
    return np.float16(F(value)).tobytes()


def of_half(stored: bytes) -> Any:
    return F(np.frombuffer(stored, np.float16)[0])
