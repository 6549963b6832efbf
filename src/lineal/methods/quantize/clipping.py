"""Ranges that leave out the largest weights, so that the steps between all others are smaller."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias, final

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Int64s
from lineal.methods.arrays import Float32
from lineal.methods.quantize.grid import MIN_MAX, Clipping, Grid, Ranges, min_max, scales_of
from lineal.methods.quantize.packed_schemes import Storage
from lineal.shown import quoted

SHARES: Final = (np.float32(1) - np.arange(80, dtype=np.float32) / np.float32(100)).astype(np.float32)
"""Of the whole range that are tried: 1, 0.99, ... 0.21, as in GPTQ's code (Frantar et al. 2022)."""

_GROUPS: Final = 1024
"""Of a matrix that are searched at once."""

_MAGIC = np.float32(12582912)
"""3 x 2^22: added and taken away, it leaves the nearest whole number."""

_PERCENTILE = re.compile(r"percentile:(\d+(?:\.\d+)?)")


def mse(values: Float32, grid: Grid) -> Ranges:
    """Of SHARES of each group's range, the one that rounding to loses least by, in the sum of squares.

    The whole range is tried first and kept unless another is better, so that no group loses more than by `min_max`.

    Source: Nagel et al. 2021, "A White Paper on Neural Network Quantization", section 3.1, by search.
    """
    whole = min_max(values, grid)
    rows = max(1, _GROUPS // max(1, whole.lows.shape[1]))
    for start in range(0, len(values), rows):
        some = slice(start, start + rows)
        _shrink(np.ascontiguousarray(values[some]), grid, Ranges(whole.lows[some], whole.highs[some]))
    return whole


@final
@dataclass(frozen=True, slots=True)
class Percentile:
    """The range without the outermost values: percent of a group's are in it, the rest is clipped to its ends.

    Of a symmetric grid by magnitude; else as many are left out at both ends. An end is a value of the group, the outer
    one of the two that the percentile is between: with 1 / (1 - percent / 100) values or fewer nothing is clipped.
    """

    percent: float

    def __call__(self, values: Float32, grid: Grid) -> Ranges:
        groups = values.reshape(len(values), grid.groups(values.shape[1]), -1)
        if grid.symmetric:
            ends = np.percentile(abs(groups), self.percent, axis=2, method="higher")
            return Ranges(-ends, ends)
        outside = (100 - self.percent) / 2
        lows = np.percentile(groups, outside, axis=2, method="lower")
        return Ranges(lows, np.percentile(groups, 100 - outside, axis=2, method="higher"))


def clipping_named(written: str, method: str) -> Clipping:
    """min_max, mse, or percentile:99.9. method: for messages."""
    if written in _NAMED:
        return _NAMED[written]
    found = _PERCENTILE.fullmatch(written)
    if found is None or not 50 < float(found[1]) <= 100:
        raise MethodError(
            f"{method}: clipping is min_max, mse, or percentile: and a number in (50, 100], as percentile:99.9; "
            f"got {quoted(written)}"
        )
    return Percentile(float(found[1]))


def check_clipping(method: str, written: str, storage: Storage) -> None:
    """Refuse a name that is none, or that says anything where ranges are not searched for, with a MethodError."""
    clipping = clipping_named(written, method)
    if clipping is not MIN_MAX and (storage.scheme.number != "int" or storage.span == "tensor"):
        raise MethodError(
            f"{method}: clipping is of whole numbers with scales of groups or rows, as w4a16 has; "
            f"{storage.scheme.name} with a scale a {storage.span} has min_max alone"
        )


_NAMED: Final[dict[str, Clipping]] = {"min_max": MIN_MAX, "mse": mse}

ClippingName: TypeAlias = Annotated[
    str,
    BeforeValidator(lambda written: written.lower().replace("-", "_") if isinstance(written, str) else written),
    WithJsonSchema({"type": "string"}, mode="validation"),
]


def _shrink(values: Float32, grid: Grid, ranges: Ranges) -> None:
    """Each range, in place, to the best share of it."""
    shape = (*ranges.lows.shape, len(SHARES))
    scales, zeros = np.empty(shape, np.float32), np.empty(shape, np.float32)
    with np.errstate(all="ignore"):  # what is not finite is found where it is packed
        for place, share in enumerate(SHARES):
            tried = scales_of(Ranges(ranges.lows * share, ranges.highs * share), grid)
            scales[:, :, place], zeros[:, :, place] = tried.scales, tried.zeros
        best = np.empty(ranges.lows.size, np.int64)
        groups = values.reshape(best.size, -1)
        _find(groups, scales.reshape(best.size, -1), zeros.reshape(best.size, -1), grid.lowest, grid.highest, best)
        found = SHARES[best].reshape(ranges.lows.shape)
        np.multiply(ranges.lows, found, out=ranges.lows)
        np.multiply(ranges.highs, found, out=ranges.highs)


@kernel
def _find(
    groups: Float32Rows, scales: Float32Rows, zeros: Float32Rows, lowest: int, highest: int, best: Int64s
) -> None:
    """The place of the scale with the least error of each group; of those with the same one the first.

    All are tried on a value side by side; their sums go through the values in order, in float64.
    """
    low, high = np.float32(lowest), np.float32(highest)
    errors = np.empty(scales.shape[1], np.float64)
    for g in range(len(groups)):
        scale, zero = scales[g], zeros[g]
        errors[:] = 0.0
        for i in range(groups.shape[1]):
            value = groups[g, i]
            for s in range(errors.size):
                clamped = min(high, max(low, value / scale[s] + zero[s]))
                code = np.float32(np.float32(clamped + _MAGIC) - _MAGIC)
                moved = np.float64(np.float32(np.float32(code - zero[s]) * scale[s])) - np.float64(value)
                errors[s] += moved * moved
        place = 0
        for s in range(errors.size):
            if errors[s] < errors[place]:
                place = s
        best[g] = place
