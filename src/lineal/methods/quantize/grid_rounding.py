"""Groups that are fitted, rounded and measured in one go, while they are in the fastest memory.

Codes and scales are those that `fit` and `to_codes` of `grid` give. What rounding cost is what `rounding_error` says of
them but for the last digits: squares are summed in float32, in steps of each group's scale.
"""

import math
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Float64s, Int8s, Int32s
from lineal.methods.quantize.grid import (
    MAGIC,
    SCALE_DTYPES,
    Grid,
    Scales,
    code_of,
    extremes_of,
    largest_of,
    scale_of,
    zero_of,
)
from lineal.methods.quantize.rounding_error import (
    FIGURES,
    GRANULE,
    LARGEST_ERROR,
    OUTLIER,
    OUTLIERS,
    SHIFTED,
    SQUARED_ERROR,
    SQUARES,
)

LANES: Final = 16
"""Columns whose squares are added side by side."""

Float32: TypeAlias = NDArray[np.float32]
Int8: TypeAlias = NDArray[np.int8]


def is_in_granules(grid: Grid) -> bool:
    """Whether every granule of what is measured holds whole groups, of at least 32: otherwise this is not for it."""
    return grid.group is not None and grid.group >= 32 and GRANULE % grid.group == 0


def round_groups(values: Float32, grid: Grid, figures: NDArray[np.float64] | None) -> tuple[Int8, Scales]:
    """The codes of [rows, columns], and their scales; figures: what rounding cost is added to them.

    values: whole groups; of what is measured whole granules, but for the last of a matrix.
    """
    rows, columns = values.shape
    codes, shape = np.empty(values.shape, np.int8), (rows, grid.groups(columns))
    scales = Scales(np.empty(shape, np.float32), np.zeros(shape, np.int8))
    flat = np.ascontiguousarray(values).reshape(-1)
    _round(
        flat,
        flat.view(np.int32),
        grid.group or columns,
        grid.lowest,
        grid.highest,
        grid.symmetric,
        SCALE_DTYPES.index(grid.scale_dtype),
        codes.reshape(-1),
        scales.scales.reshape(-1),
        scales.zeros.reshape(-1),
        np.zeros(FIGURES) if figures is None else figures,
        figures is not None,
    )
    return codes, scales


@kernel
def _round(
    values: Float32s,
    bits: Int32s,
    size: int,
    lowest: int,
    highest: int,
    symmetric: bool,
    kind: int,
    codes: Int8s,
    scales: Float32s,
    zeros: Int8s,
    figures: Float64s,
    measured: bool,
) -> None:
    sums, errors, most = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    ends = np.empty(2, np.int32)
    low_code, high_code, steps = np.float32(lowest), np.float32(highest), np.float32(highest - lowest)
    for start in range(0, values.size, GRANULE):
        end, squares, largest = min(start + GRANULE, values.size), 0.0, np.float32(0)
        for g in range(start // size, end // size):
            group, out = values[g * size : (g + 1) * size], codes[g * size : (g + 1) * size]
            if symmetric:
                ends[1] = largest_of(bits[g * size : (g + 1) * size])
                ends[0] = ends[1] | np.int32(-0x80000000)
            else:
                ends[0], ends[1] = extremes_of(bits[g * size : (g + 1) * size])
            low, high = np.int32(ends[0]).view(np.float32), np.int32(ends[1]).view(np.float32)
            scale = np.float32(scale_of(low, high, steps, symmetric, kind))
            zero = np.int8(0) if symmetric else np.int8(zero_of(low, scale, low_code, high_code))
            scales[g], zeros[g] = scale, zero
            if measured:
                _encode_and_sum(group, scale, zero, low_code, high_code, out, sums, errors, most)
                squares += _measure(sums, errors, most, np.float64(scale), figures)
                largest = max(largest, abs(low), abs(high))
            else:
                _encode(group, scale, zero, low_code, high_code, out)
        if measured:
            _count_outliers(values[start:end], squares, largest, figures)


@kernel
def _encode(group: Any, scale: Any, zero: Any, lowest: Any, highest: Any, out: Any) -> None:
    shift = np.float32(zero)
    for i in range(group.size):
        out[i] = code_of(group[i] / scale + shift, lowest, highest)


@kernel
def _encode_and_sum(
    group: Any, scale: Any, zero: Any, lowest: Any, highest: Any, out: Any, squares: Any, errors: Any, largest: Any
) -> None:
    """Beside the codes sums of squares of weights and of errors, and the largest error, of every so many columns.

    All in steps of the scale, in which squares are neither too large nor too small for float32.
    """
    shift = np.float32(zero)
    for i in range(squares.size):
        squares[i], errors[i], largest[i] = np.float32(0), np.float32(0), np.float32(0)
    for at in range(0, group.size, LANES):
        some, codes = group[at : at + LANES], out[at : at + LANES]
        for i in range(squares.size):
            steps = np.float32(some[i] / scale)
            whole = np.float32(min(highest, max(lowest, np.float32(steps + shift))) + MAGIC)
            codes[i] = np.int8(whole.view(np.int32))
            error = np.float32(np.float32(np.float32(whole - MAGIC) - shift) - steps)
            squares[i] += steps * steps
            errors[i] += error * error
            largest[i] = max(largest[i], abs(error))


@kernel
def _measure(squares: Any, errors: Any, largest: Any, scale: Any, figures: Any) -> float:
    """Add a group to the figures; returns the squares of its weights."""
    squared_error = np.float64(_total(errors)) * scale * scale
    total = np.float64(_total(squares)) * scale * scale
    most = np.float32(0)
    for i in range(largest.size):
        most = max(most, largest[i])
    figures[SQUARES] += total
    figures[SQUARED_ERROR] += squared_error
    figures[LARGEST_ERROR] = max(figures[LARGEST_ERROR], np.float64(most) * scale)
    figures[SHIFTED] += squared_error >= total and squared_error > 0
    return total


@kernel
def _total(sums: Any) -> np.float32:
    """Of the sixteen, halves added to halves."""
    half = sums.size // 2
    for i in range(half):
        sums[i] += sums[half + i]
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))


@kernel
def _count_outliers(values: Any, squares: Any, largest: Any, figures: Any) -> None:
    """Weights above so many times the root mean square of their granule: as a rule none is."""
    limit = OUTLIER * math.sqrt(squares / values.size)
    if largest > limit:
        for i in range(values.size):
            figures[OUTLIERS] += abs(values[i]) > limit
