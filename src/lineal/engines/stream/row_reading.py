"""A gathered matrix, a window of whole rows at a time."""

from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from lineal.engines.stream.gathered import Gathered
from lineal.engines.stream.reading import Reading

_ROWS = 256


@final
class RowReading:
    """Reads the rows that a window is made of, those that follow each other at once."""

    def __init__(self, gathered: Gathered, reading: Reading) -> None:
        self._gathered, self._reading = gathered, reading

    def fill(self, row: NDArray[np.float32], start: int, *, first: bool) -> None:
        """The elements from `start` on, a whole number of rows."""
        width = self._gathered.width
        low = start // width
        self._fill_rows(row.reshape(-1, width), low, first=first)
        bounds = self._gathered.rows.first[low : low + row.size // width + 1]
        padding = np.flatnonzero(np.diff(bounds) == 0)
        if padding.size:
            row.reshape(-1, width)[padding] = self._mean

    def _fill_rows(self, out: NDArray[np.float32], low: int, *, first: bool) -> None:
        """All rows that have picks; means are taken in float64."""
        bounds = self._gathered.rows.first[low : low + len(out) + 1]
        picked = self._picks(int(bounds[0]), int(bounds[-1]), first=first)
        counts, at = np.diff(bounds), bounds[:-1] - bounds[0]
        single = counts == 1
        out[single] = picked[at[single]]
        for index in np.flatnonzero(counts > 1):
            out[index] = picked[at[index] : at[index] + counts[index]].mean(axis=0, dtype=np.float64)

    def _picks(self, start: int, end: int, *, first: bool) -> NDArray[np.float32]:
        """The picked rows, [picks, width]."""
        width = self._gathered.width
        found = np.zeros((end - start, width), np.float32)
        for run in self._gathered.rows.runs(start, end):
            source = self._gathered.matrices[run.model]
            rows = found[run.at - start : run.at - start + run.count].reshape(-1)
            self._reading.fill(source, run.row * width, rows, first=first)
        return found

    @cached_property
    def _mean(self) -> NDArray[np.float32]:
        """Of all rows that have picks: added one after the other, so that no window shows."""
        gathered = self._gathered
        total: NDArray[Any] = np.zeros(gathered.width)
        counts = np.diff(gathered.rows.first)
        out = np.empty((_ROWS, gathered.width), np.float32)
        for low in range(0, len(gathered.rows), _ROWS):
            part = out[: min(_ROWS, len(gathered.rows) - low)]
            self._fill_rows(part, low, first=True)
            for index in np.flatnonzero(counts[low : low + len(part)]):
                total += part[index]
        return (total / np.count_nonzero(counts)).astype(np.float32)
