"""Directions: vectors as points of a sphere, known by the cosines between them.

A combination of unit vectors is known by its coefficients: its length, and its cosines with others, follow.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float64Rows, Float64s

Float64: TypeAlias = NDArray[np.float64]

CANCELLED = 1e-4
"""Directions whose mean is this short cancel out: float64 knows its square to 1e-16, and float32's digits would go.

Two vectors whose sine is this small have no arc: to float32 it is a line, or, where they are opposite, undecided.
"""


def directions(products: Float64) -> tuple[Float64, Float64]:
    """Lengths and cosines of vectors, from their dot products; of a vector of zeros all cosines are 0, its own too."""
    lengths = np.sqrt(np.diagonal(products))
    norms = lengths[:, None] * lengths
    return lengths, np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)


def at_length(length: float, coefficients: Float64, lengths: Float64, cosines: Float64) -> Float64:
    """Shares of the vectors themselves that make a combination of their directions this long."""
    scaled = coefficients * (length / length_of(cosines, coefficients))
    return np.divide(scaled, lengths, out=np.zeros_like(scaled), where=lengths > 0)


@kernel
def length_of(cosines: Float64Rows, coefficients: Float64s) -> float:
    """The length of a combination of unit vectors."""
    square = 0.0
    for i in range(coefficients.size):
        square += coefficients[i] * cosine_with(cosines[i], coefficients)
    return math.sqrt(max(square, 0.0))


@kernel
def cosine_with(cosines: Float64s, coefficients: Float64s) -> float:
    """The product of a unit vector, by its cosines with all, and a combination of them."""
    total = 0.0
    for i in range(coefficients.size):
        total += cosines[i] * coefficients[i]
    return total
