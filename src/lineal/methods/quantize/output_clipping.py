"""Ranges of groups that are clipped as far as what comes out of them is nearest to what did."""

from typing import Final

import numpy as np

from lineal.methods.arrays import Float32
from lineal.methods.quantize.grid import Clipping, Grid, Ranges, from_codes, min_max, scales_of, to_codes

_STEPS: Final = 20
_MOST: Final = 0.5
"""A range is never clipped to less than this share of it; shares go down by 1/20, as in AWQ's code."""

_ROWS: Final = 256
"""Of a weight that are searched at once."""


def output_clipping(inputs: Float32) -> Clipping:
    """inputs: of some tokens, [tokens, columns].

    The output of a group is the sum over its columns alone, since what others add does not depend on its range.
    """

    def clip(values: Float32, grid: Grid) -> Ranges:
        roots = _roots(inputs, grid.groups(values.shape[1]))
        parts = [_clipped(values[start : start + _ROWS], grid, roots) for start in range(0, len(values), _ROWS)]
        return Ranges(*(np.concatenate(found) for found in zip(*parts, strict=True)))

    return clip


def _roots(inputs: Float32, groups: int) -> Float32:
    """Of each group's inputs, something [columns, whatever] that makes outputs of the same size: inputs, or their R."""
    import torch  # noqa: PLC0415 - options of methods are read where there is no torch

    grouped = torch.from_numpy(inputs.reshape(len(inputs), groups, -1)).transpose(0, 1)
    if grouped.shape[1] > grouped.shape[2]:
        grouped = torch.linalg.qr(grouped, mode="r").R
    return grouped.transpose(1, 2).contiguous().numpy()


def _clipped(values: Float32, grid: Grid, roots: Float32) -> Ranges:
    whole = min_max(values, grid)
    best, least = Ranges(*(one.copy() for one in whole)), np.full(whole.lows.shape, np.inf)
    for step in range(int(_MOST * _STEPS)):
        share = np.float32(1 - step / _STEPS)
        tried = Ranges(whole.lows * share, whole.highs * share)
        errors = _errors(values, grid, tried, roots)
        better = errors < least
        least = np.where(better, errors, least)
        for kept, new in zip(best, tried, strict=True):
            kept[better] = new[better]
    return best


def _errors(values: Float32, grid: Grid, ranges: Ranges, roots: Float32) -> Float32:
    """The squares of what each group's outputs are away, [rows, groups]."""
    import torch  # noqa: PLC0415 - options of methods are read where there is no torch

    scales = scales_of(ranges, grid)
    moved = from_codes(to_codes(values, scales, grid), scales, grid) - values
    by_group = torch.from_numpy(moved.reshape(len(moved), len(roots), -1)).transpose(0, 1)
    return (by_group @ torch.from_numpy(roots)).square().sum(2).T.numpy()
