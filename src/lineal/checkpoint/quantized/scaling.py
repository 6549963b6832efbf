"""Codes times the scales of their blocks: a block is so many rows and columns of a matrix, the last of each cut off."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Int32s

Float32: TypeAlias = NDArray[np.float32]


class Blocks(NamedTuple):
    """What shares a scale. height, width: of a matrix, of which a weight may hold several, one after the other."""

    height: int
    width: int
    rows: int
    columns: int

    @property
    def down(self) -> int:
        return -(-self.height // self.rows)

    @property
    def across(self) -> int:
        return -(-self.width // self.columns)


def scale(values: Float32, start: int, blocks: Blocks, scales: Float32) -> None:
    """Multiply the elements from `start` of a weight, in place. scales: of all blocks, row by row."""
    _scale(values, start, *blocks, scales)


def shift_and_scale(values: Float32, start: int, blocks: Blocks, zeros: Float32, scales: Float32) -> None:
    """Subtract the zero of each element's block, and multiply by its scale, in place."""
    _shift_and_scale(values, start, *blocks, zeros, scales)


def scale_by_column(
    values: Float32, start: int, groups: NDArray[np.int32], zeros: Float32, scales: Float32, across: int
) -> None:
    """As `shift_and_scale`, where each column says its group. groups: [columns]; zeros, scales: [rows * across]."""
    _scale_by_column(values, start, groups, zeros, scales, across)


@kernel
def _scale(values: Float32s, start: int, height: int, width: int, rows: int, columns: int, scales: Float32s) -> None:
    down, across, done = -(-height // rows), -(-width // columns), 0
    while done < values.size:
        row, column, count = _rest_of_row(start + done, width, values.size - done)
        first = ((row // height) * down + (row % height) // rows) * across
        while count > 0:
            one, run = scales[first + column // columns], min(columns - column % columns, count)
            part = values[done : done + run]
            for i in range(part.size):
                part[i] *= one
            done, column, count = done + run, column + run, count - run


@kernel
def _shift_and_scale(
    values: Float32s,
    start: int,
    height: int,
    width: int,
    rows: int,
    columns: int,
    zeros: Float32s,
    scales: Float32s,
) -> None:
    down, across, done = -(-height // rows), -(-width // columns), 0
    while done < values.size:
        row, column, count = _rest_of_row(start + done, width, values.size - done)
        first = ((row // height) * down + (row % height) // rows) * across
        while count > 0:
            place, run = first + column // columns, min(columns - column % columns, count)
            zero, one, part = zeros[place], scales[place], values[done : done + run]
            for i in range(part.size):
                part[i] = np.float32(part[i] - zero) * one
            done, column, count = done + run, column + run, count - run


@kernel
def _scale_by_column(
    values: Float32s, start: int, groups: Int32s, zeros: Float32s, scales: Float32s, across: int
) -> None:
    done = 0
    while done < values.size:
        row, column, count = _rest_of_row(start + done, groups.size, values.size - done)
        for i in range(count):
            place = row * across + groups[column + i]
            values[done + i] = np.float32(values[done + i] - zeros[place]) * scales[place]
        done += count


@kernel
def _rest_of_row(place: Any, width: Any, most: Any) -> Any:
    """The row and column of an element, and how many follow in its row, itself among them."""
    row = place // width
    column = place - row * width
    return row, column, min(width - column, most)
