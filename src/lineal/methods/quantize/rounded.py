"""A weight that a calibrated method rounds to nearest, whatever it is stored as."""

from collections.abc import Mapping

import numpy as np

from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Rounded
from lineal.methods.quantize.grid import MIN_MAX, Clipping
from lineal.methods.quantize.packed_schemes import Storage
from lineal.methods.quantize.rounders import rounder


def rounded(
    name: str,
    weight: Float32,
    storage: Storage,
    dtype: str,
    *,
    clipping: Clipping = MIN_MAX,
    beside: Mapping[str, Float32] | None = None,
) -> Rounded:
    """dtype: of the parent's weight, which scales are stored as, too; beside: other numbers that are stored with it."""
    rounding, values = rounder(storage, dtype, clipping), weight.copy()
    for _ in range(rounding.looks):
        rounding.look(values)
    stored = np.empty_like(values)
    codes, scales, zeros = rounding.round(values, stored)
    return Rounded(name, codes, scales, zeros, stored, {**rounding.numbers(), **(beside or {})})
