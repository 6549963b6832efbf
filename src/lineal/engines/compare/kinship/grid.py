"""Whether values lie on the few levels that a quantization leaves, whatever dtype they are stored in."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

_GROUPS = (0, 128, 64, 32)
"""Values of a row that share a scale; 0: all of them."""

_INTEGERS = {"int4": (7, 8), "int8": (127, 128)}
"""The level at which the largest magnitude of a group stands, by scheme; the coarser first."""

_RANGES = {"int4": 15, "int8": 255}
"""Levels between the least and the greatest value of a group with a zero point."""

_FLOAT8 = "fp8"
_LARGEST_FLOAT8, _LEAST_FLOAT8 = 448.0, 2.0**-6
"""Of e4m3: the largest value, and the least that has a full mantissa."""

_FEW_LEVELS, _MOST_LEVELS = 9, 129
"""Magnitudes that four and eight bits tell apart, zero included."""

_REPEATED, _EVEN = 8, 1.1
_SCREENED = 8
_ON_GRID = 0.5
"""The mean cosine of the values' phases on the grid: 1 on it, about 0 off it; storing in BF16 costs a third."""

_FAR = 10.0
"""Standard deviations that the mean must lie above 0."""

_FLOAT8_SHARE = 0.95
_FLOAT8_NEAR = 2.0**-8


@final
@dataclass(frozen=True)
class Grid:
    """A scheme, and the distance between neighbouring levels at each value [rows, columns]."""

    scheme: str
    steps: NDArray[np.float64]


def grid_of(values: NDArray[np.float32]) -> Grid | None:
    """The grid that rows of values [rows, columns] lie on; None of values that may be anything."""
    few = _few_levels(values)
    if few is not None:
        return few
    for scheme, group in _schemes(values[:: -(-len(values) // _SCREENED)]):  # a few rows rule out most at once
        found = _on(values, scheme, group)
        if found is not None:
            return found
    return None


def _schemes(values: NDArray[np.float32]) -> Iterator[tuple[str, int]]:
    """Schemes and groups whose grid these rows lie on."""
    columns = values.shape[1]
    groups = [group or columns for group in _GROUPS if columns % (group or 1) == 0]
    tried = ((scheme, group) for scheme in (*_INTEGERS, _FLOAT8) for group in dict.fromkeys(groups))
    return (one for one in tried if _on(values, *one) is not None)


def _on(values: NDArray[np.float32], scheme: str, group: int) -> Grid | None:
    grouped = values.reshape(-1, group).astype(np.float64)
    if scheme == _FLOAT8:
        steps = _float8_steps(grouped)
        return None if steps is None else Grid(scheme, steps.reshape(values.shape))
    for phases, step in _candidates(grouped, scheme):
        if _is_on(phases):
            return Grid(scheme, np.broadcast_to(step, grouped.shape).reshape(values.shape))
    return None


def _few_levels(values: NDArray[np.float32]) -> Grid | None:
    """One scale for all rows: magnitudes repeat, whatever the scale is."""
    magnitudes = np.abs(values)
    levels = np.unique(magnitudes)
    if not 1 < levels.size <= _MOST_LEVELS or values.size < _REPEATED * levels.size:
        return None
    gaps = np.diff(levels.astype(np.float64))
    evenly = gaps.max() <= _EVEN * gaps.min() or np.all(np.abs(gaps / gaps.min() - np.rint(gaps / gaps.min())) < 0.1)
    scheme = _FLOAT8 if not evenly else "int4" if levels.size <= _FEW_LEVELS else "int8"
    around = np.maximum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0]))
    return Grid(scheme, around[np.searchsorted(levels, magnitudes)])


def _float8_steps(grouped: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The distance of e4m3's levels around each value, where the largest of a group stands at its largest."""
    scale = np.abs(grouped).max(axis=1, keepdims=True) / _LARGEST_FLOAT8
    scaled = np.abs(np.divide(grouped, scale, out=np.zeros_like(grouped), where=scale > 0))
    told = (scaled > _LEAST_FLOAT8) & (scaled < _LARGEST_FLOAT8)
    near = np.abs(scaled - scaled.astype(ml_dtypes.float8_e4m3fn).astype(np.float64)) <= _FLOAT8_NEAR * scaled
    if not told.any() or near[told].mean() < _FLOAT8_SHARE:
        return None
    return scale * np.exp2(np.floor(np.log2(np.maximum(scaled, _LEAST_FLOAT8))) - 3)


def _candidates(grouped: NDArray[np.float64], scheme: str) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Where the values stand between levels, in steps; and the steps, of each group."""
    largest = np.abs(grouped).max(axis=1, keepdims=True)
    for top in _INTEGERS[scheme]:
        yield _phases(grouped, largest / top), largest / top
    low, high = grouped.min(axis=1, keepdims=True), grouped.max(axis=1, keepdims=True)
    step = (high - low) / _RANGES[scheme]
    yield _phases(grouped - low, step), step


def _phases(values: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without values at the ends of the range and at zero, which are on any grid."""
    scaled = np.divide(values, step, out=np.zeros_like(values), where=step > 0)
    inside = (np.abs(scaled) > 0.5) & (np.abs(scaled) < np.abs(scaled).max(axis=1, keepdims=True) - 0.5)
    return scaled[inside]


def _is_on(phases: NDArray[np.float64]) -> bool:
    if phases.size == 0:
        return False
    mean = float(np.cos(2 * math.pi * phases).mean())
    return mean >= _ON_GRID and mean * math.sqrt(2 * phases.size) >= _FAR
