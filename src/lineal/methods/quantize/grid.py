"""Grids that weights are rounded to: whole numbers times a scale, which the columns of a group share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Int8Rows, Int32Rows

Float32: TypeAlias = NDArray[np.float32]
Int8: TypeAlias = NDArray[np.int8]

SCALE_DTYPES: Final = ("BF16", "F16", "F32")
"""What scales may be stored as; kernels know them by their places."""

MAGIC = np.float32(12582912)
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
    steps = np.float32((1 << grid.bits) - 1) if half is None else half + half
    kind = SCALE_DTYPES.index(grid.scale_dtype)
    _scale_all(ranges.lows, ranges.highs, steps, grid.lowest, grid.highest, grid.symmetric, kind, scales, zeros)
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
    size = bits.shape[1] // lows.shape[1]
    for r in range(len(bits)):
        for g in range(lows.shape[1]):
            largest = largest_of(bits[r][g * size : (g + 1) * size])
            lows[r, g], highs[r, g] = np.int32(largest | np.int32(-0x80000000)), largest


@kernel
def _extremes(bits: Int32Rows, lows: Int32Rows, highs: Int32Rows) -> None:
    size = bits.shape[1] // lows.shape[1]
    for r in range(len(bits)):
        for g in range(lows.shape[1]):
            lows[r, g], highs[r, g] = extremes_of(bits[r][g * size : (g + 1) * size])


@kernel
def largest_of(bits: Any) -> np.int32:
    """The bits of the largest magnitude: magnitudes compare as their bits do."""
    largest = np.int32(0)
    for i in range(bits.size):
        largest = max(largest, np.int32(bits[i] & np.int32(0x7FFFFFFF)))
    return largest


@kernel
def extremes_of(bits: Any) -> Any:
    """The bits of the lowest and of the highest value."""
    low, high = np.int32(0x7FFFFFFF), np.int32(-0x80000000)
    for i in range(bits.size):
        ordered = np.int32(_ordered(np.int32(bits[i])))
        low, high = min(low, ordered), max(high, ordered)
    return np.int32(_ordered(low)), np.int32(_ordered(high))


@kernel
def _ordered(bits: Any) -> np.int32:
    """Whole numbers in the order of the values whose bits they were made of, and the other way around."""
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@kernel
def _scale_all(
    lows: Float32Rows,
    highs: Float32Rows,
    steps: np.float32,
    lowest: int,
    highest: int,
    symmetric: bool,
    kind: int,
    scales: Float32Rows,
    zeros: Int8Rows,
) -> None:
    for r in range(len(lows)):
        for g in range(lows.shape[1]):
            scale = scale_of(lows[r, g], highs[r, g], steps, symmetric, kind)
            scales[r, g] = scale
            if not symmetric:
                zeros[r, g] = zero_of(lows[r, g], scale, np.float32(lowest), np.float32(highest))


@kernel
def scale_of(low: Any, high: Any, steps: Any, symmetric: Any, kind: Any) -> np.float32:
    """Of a range, as it is stored, and never 0."""
    if symmetric:
        exact = np.float32(max(abs(low), abs(high)) / (steps / np.float32(2)))
    else:
        exact = np.float32((max(high, np.float32(0)) - min(low, np.float32(0))) / steps)
    scale = np.float32(_as_stored(exact, kind))
    if scale == np.float32(0):
        is_empty = low == np.float32(0) and high == np.float32(0)
        smallest = np.float32(2.0**-133) if kind == 0 else np.float32(2.0**-24) if kind == 1 else np.float32(2.0**-149)
        return np.float32(1) if is_empty else smallest
    return scale


@kernel
def zero_of(low: Any, scale: Any, lowest: Any, highest: Any) -> np.int8:
    return code_of(lowest - min(low, np.float32(0)) / scale, lowest, highest)


@kernel
def _as_stored(scale: Any, kind: Any) -> np.float32:
    """The nearest number of the dtype, ties to even; kind: its place in SCALE_DTYPES. Not below 0, or no number."""
    bits = np.float32(scale).view(np.uint32)
    if kind == 2 or bits >= np.uint32(0x7F800000):
        return np.float32(scale)
    if kind == 0:
        odd = np.uint32(bits >> np.uint32(16)) & np.uint32(1)
        return np.uint32(np.uint32(bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)).view(np.float32)
    if scale < np.float32(2.0**-14):  # steps are 2^-24, as float32's are in [0.5, 1)
        return np.float32(np.float32(scale + np.float32(0.5)) - np.float32(0.5))
    if scale >= np.float32(65520):
        return np.float32(np.inf)
    odd = np.uint32(bits >> np.uint32(13)) & np.uint32(1)
    return np.uint32(np.uint32(bits + np.uint32(0xFFF) + odd) & np.uint32(0xFFFFE000)).view(np.float32)


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
                out[i] = code_of(group[i] / scale + zero, low, high)


@kernel
def code_of(scaled: Any, low: Any, high: Any) -> np.int8:
    """The nearest whole number, ties to even, not beyond the two; what is no number becomes the lower."""
    clamped = min(high, max(low, scaled))
    return np.int8(np.float32(clamped + MAGIC).view(np.int32))


@kernel
def _decode(codes: Int8Rows, scales: Float32Rows, zeros: Int8Rows, size: int, values: Float32Rows) -> None:
    for r in range(len(codes)):
        for g in range(scales.shape[1]):
            group, out = codes[r][g * size : (g + 1) * size], values[r][g * size : (g + 1) * size]
            scale, zero = scales[r, g], np.float32(zeros[r, g])
            for i in range(size):
                out[i] = (np.float32(group[i]) - zero) * scale
