"""The arc between two vectors: what share of each makes the point at t on it."""

import math

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float64s
from lineal.methods.exact.trigonometry import arccos, sin


@kernel
def arc_shares(dot: float, first: float, second: float, t: float, straight: float) -> tuple[float, float]:
    """Shares of two vectors, from their dot product and their squared lengths.

    straight: from this |cosine| on the arc is a line, or none is the shortest, and the shares are 1 - t and t. A
    vector without length counts as perpendicular to the other.
    """
    lengths = math.sqrt(first) * math.sqrt(second)
    cosine = min(1.0, max(-1.0, dot / lengths)) if lengths > 0 else 0.0
    if abs(cosine) >= straight:
        return 1 - t, t
    angle = arccos(cosine)
    return sin((1 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)


@kernel
def write_arc_shares(dot: float, first: float, second: float, t: float, straight: float, shares: Float64s) -> None:
    """`arc_shares`, written to shares, [2]."""
    shares[0], shares[1] = arc_shares(dot, first, second, t, straight)
