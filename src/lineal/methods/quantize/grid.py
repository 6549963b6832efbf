"""Grids that weights are rounded to: whole numbers times a scale, which the columns of a group share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Int8Rows, Int32Rows

Float32: TypeAlias = NDArray[np.float32]
Int8: TypeAlias = NDArray[np.int8]

SCALE_DTYPES: dict[str, Any] = {"BF16": ml_dtypes.bfloat16, "F16": np.float16, "F32": np.float32}
"""What scales may be stored as."""

_MAGIC = np.float32(12582912)
"""3 x 2^22: a sum with it has steps of one, and the lowest bits of the whole number that it was rounded to."""


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """A weight is (code - zero point) * scale, with a scale and a zero point a group of columns of each row.

    bits: of a code, which is signed: -2^(bits-1) to 2^(bits-1) - 1; symmetric: every zero point is 0; group: columns of
    a row that share a scale, None: all; scale_dtype: what scales are stored as.
    """

    bits: int = 4
    symmetric: bool = True
    group: int | None = 128
    scale_dtype: str = "BF16"

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise MethodError(f"codes have 2 to 8 bits, not {self.bits}")
        if self.group is not None and self.group < 1:
            raise MethodError(f"a group has at least one column, not {self.group}")
        if self.scale_dtype not in SCALE_DTYPES:
            raise MethodError(f"scales are {', '.join(SCALE_DTYPES)}, not {self.scale_dtype}")

    @property
    def lowest(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def highest(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def groups(self, columns: int) -> int:
        """Of each row. Raises: MethodError: columns that are no whole groups."""
        size = self.group or columns
        if columns % size:
            raise MethodError(f"rows of {columns} are no whole groups of {size}")
        return columns // size


class Scales(NamedTuple):
    """scales: [rows, groups], float32 numbers that scale_dtype holds exactly, never 0; zeros: [rows, groups], codes."""

    scales: Float32
    zeros: Int8


class Ranges(NamedTuple):
    """What the codes of each group are spread over, float32 [rows, groups] each; lows <= 0 <= highs is not needed."""

    lows: Float32
    highs: Float32


Clipping: TypeAlias = Callable[[Float32, Grid], Ranges]
"""A way to find ranges: values [rows, columns] -> ranges."""


def min_max(values: Float32, grid: Grid) -> Ranges:
    """The range that a group's values have; of a symmetric grid from minus the largest magnitude to it."""
    rows, columns = values.shape
    found = np.empty((2, rows, grid.groups(columns)), np.float32)
    if values.size:
        bits = np.ascontiguousarray(values).view(np.int32)
        (_largest if grid.symmetric else _extremes)(bits, found[0].view(np.int32), found[1].view(np.int32))
    return Ranges(found[0], found[1])


MIN_MAX: Clipping = min_max


def fit(values: Float32, grid: Grid, clipping: Clipping = MIN_MAX) -> Scales:
    """Scales and zero points for values [rows, columns]; each row by itself.

    Symmetric: the larger magnitude of the range / (2^bits - 1) * 2. Else: the range, with 0 in it, / (2^bits - 1), and
    the zero point is lowest code - low / scale, to the nearest whole number. A scale is rounded to its dtype before
    anything is made of it; one of 0 becomes the smallest that there is, or 1 where the whole range is 0. Ranges that
    are not finite, or too wide for the scale's dtype, give scales that are not finite either.

    Raises: MethodError: columns that are no whole groups.
    """
    return scales_of(clipping(values, grid), grid)


def scales_of(ranges: Ranges, grid: Grid, half: np.float32 | None = None) -> Scales:
    """The scales and zero points of ranges; half: the largest code, where that is none of the grid's."""
    scales, zeros = np.empty_like(ranges.lows), np.zeros(ranges.lows.shape, np.int8)
    dtype = SCALE_DTYPES[grid.scale_dtype]
    smallest = np.float32(np.nextafter(dtype(0), dtype(1)))
    steps = np.float32((1 << grid.bits) - 1) if half is None else half + half
    _divide(ranges.lows, ranges.highs, steps, grid.symmetric, scales)
    if grid.scale_dtype != "F32":
        with np.errstate(over="ignore", invalid="ignore"):
            scales[:] = scales.astype(dtype)
    _settle(ranges.lows, ranges.highs, grid.lowest, grid.highest, grid.symmetric, smallest, scales, zeros)
    return Scales(scales, zeros)


def to_codes(values: Float32, scales: Scales, grid: Grid) -> Int8:
    """The nearest codes of values [rows, columns]: value / scale + zero point in float32, clamped, ties to even."""
    codes = np.empty(values.shape, np.int8)
    if values.size:
        size = values.shape[1] // grid.groups(values.shape[1])
        _encode(np.ascontiguousarray(values), scales.scales, scales.zeros, size, grid.lowest, grid.highest, codes)
    return codes


def from_codes(codes: Int8, scales: Scales, grid: Grid) -> Float32:
    """(code - zero point) * scale, float32 [rows, columns]."""
    values = np.empty(codes.shape, np.float32)
    if codes.size:
        size = codes.shape[1] // grid.groups(codes.shape[1])
        _decode(np.ascontiguousarray(codes), scales.scales, scales.zeros, size, values)
    return values


@kernel
def _largest(bits: Int32Rows, lows: Int32Rows, highs: Int32Rows) -> None:
    """Magnitudes compare as their bits do."""
    size = bits.shape[1] // lows.shape[1]
    for r in range(len(bits)):
        for g in range(lows.shape[1]):
            group, largest = bits[r][g * size : (g + 1) * size], np.int32(0)
            for i in range(size):
                largest = max(largest, np.int32(group[i] & np.int32(0x7FFFFFFF)))
            lows[r, g], highs[r, g] = np.int32(largest | np.int32(-0x80000000)), largest


@kernel
def _extremes(bits: Int32Rows, lows: Int32Rows, highs: Int32Rows) -> None:
    size = bits.shape[1] // lows.shape[1]
    for r in range(len(bits)):
        for g in range(lows.shape[1]):
            group = bits[r][g * size : (g + 1) * size]
            low, high = np.int32(0x7FFFFFFF), np.int32(-0x80000000)
            for i in range(size):
                ordered = np.int32(_ordered(np.int32(group[i])))
                low, high = min(low, ordered), max(high, ordered)
            lows[r, g], highs[r, g] = _ordered(low), _ordered(high)


@kernel
def _ordered(bits: Any) -> np.int32:
    """Whole numbers in the order of the values whose bits they were made of, and the other way around."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel
def _divide(lows: Float32Rows, highs: Float32Rows, steps: np.float32, symmetric: bool, scales: Float32Rows) -> None:
    half = steps / np.float32(2)
    for r in range(len(lows)):
        for g in range(lows.shape[1]):
            low, high = lows[r, g], highs[r, g]
            if symmetric:
                scales[r, g] = max(abs(low), abs(high)) / half
            else:
                scales[r, g] = (max(high, np.float32(0)) - min(low, np.float32(0))) / steps


@kernel
def _settle(
    lows: Float32Rows,
    highs: Float32Rows,
    lowest: int,
    highest: int,
    symmetric: bool,
    smallest: np.float32,
    scales: Float32Rows,
    zeros: Int8Rows,
) -> None:
    """No scale is 0; zero points."""
    for r in range(len(lows)):
        for g in range(lows.shape[1]):
            if scales[r, g] == np.float32(0):
                is_empty = lows[r, g] == np.float32(0) and highs[r, g] == np.float32(0)
                scales[r, g] = np.float32(1) if is_empty else smallest
            if not symmetric:
                shifted = np.float32(lowest) - min(lows[r, g], np.float32(0)) / scales[r, g]
                zeros[r, g] = _code(shifted, np.float32(lowest), np.float32(highest))


@kernel
def _encode(
    values: Float32Rows,
    scales: Float32Rows,
    zeros: Int8Rows,
    size: int,
    lowest: int,
    highest: int,
    codes: Int8Rows,
) -> None:
    low, high = np.float32(lowest), np.float32(highest)
    for r in range(len(values)):
        for g in range(scales.shape[1]):
            group, out = values[r][g * size : (g + 1) * size], codes[r][g * size : (g + 1) * size]
            scale, zero = scales[r, g], np.float32(zeros[r, g])
            for i in range(size):
                out[i] = _code(group[i] / scale + zero, low, high)


@kernel
def _code(scaled: Any, low: Any, high: Any) -> np.int8:
    """The nearest whole number, ties to even, not beyond the two; what is no number becomes the lower."""
    clamped = min(high, max(low, scaled))
    return np.int8(np.float32(clamped + _MAGIC).view(np.int32))


@kernel
def _decode(codes: Int8Rows, scales: Float32Rows, zeros: Int8Rows, size: int, values: Float32Rows) -> None:
    for r in range(len(codes)):
        for g in range(scales.shape[1]):
            group, out = codes[r][g * size : (g + 1) * size], values[r][g * size : (g + 1) * size]
            scale, zero = scales[r, g], np.float32(zeros[r, g])
            for i in range(size):
                out[i] = (np.float32(group[i]) - zero) * scale
