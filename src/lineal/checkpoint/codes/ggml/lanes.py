"""Many short rows side by side, as vector instructions want them: the same entry of each row is one run of memory."""

from typing import Any

import numpy as np

from lineal.kernels.kernel import kernel

LANES = 32
"""Rows at a time. More are no faster, and fewer leave each instruction waiting for the one before."""

LONGEST = 32
"""The most entries a row has."""

SMALLEST = np.float32(1e-15)
"""Rows of smaller magnitudes count as zeros where a scale alone is searched for."""

MAGNITUDE, LARGEST = 0, LANES
"""Where `find_largest` writes in the state of a search."""


@kernel
def to_lanes(rows: Any, first: int, lanes: Any) -> None:
    """Rows from `first` on; where they end, the last one again."""
    count, length = rows.shape
    for k in range(LANES):
        row = rows[min(first + k, count - 1)]
        for i in range(length):
            lanes[i * LANES + k] = row[i]


@kernel
def from_lanes(lanes: Any, first: int, rows: Any) -> None:
    """Whole numbers into the rows from `first` on, as many as there are."""
    count, length = rows.shape
    for k in range(min(LANES, count - first)):
        row = rows[first + k]
        for i in range(length):
            row[i] = np.uint8(np.int32(lanes[i * LANES + k]))


@kernel
def find_largest(x: Any, s: Any, length: Any) -> None:
    """The largest magnitude of each lane, and the first value that has it: the first two numbers of a state."""
    for k in range(LANES):
        s[MAGNITUDE + k], s[LARGEST + k] = np.float32(0), np.float32(0)
    for i in range(length):
        for k in range(LANES):
            value = x[i * LANES + k]
            is_larger = abs(value) > s[MAGNITUDE + k]
            s[MAGNITUDE + k] = abs(value) if is_larger else s[MAGNITUDE + k]
            s[LARGEST + k] = value if is_larger else s[LARGEST + k]
