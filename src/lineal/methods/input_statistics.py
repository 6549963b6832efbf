"""What calibrated methods gather of the inputs of linear layers: second moments, squares and magnitudes of columns."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from lineal.methods.arrays import Float32

_PANEL = 1024
"""Columns of a second moment that are summed at once: its lower half is, and what is added is no copy of all of it."""


@final
class SecondMoment:
    """The sum of x x^T over all inputs x: H of GPTQ and SparseGPT but for a factor.

    Products of a portion are float32, and so is the sum over portions: as many of them as a calibration has are off
    by parts of 10^6, where the damping that H needs anyway is parts of 100.
    """

    def __init__(self, columns: int) -> None:
        self._sum = np.zeros((columns, columns), np.float32)
        self.tokens = 0

    def add(self, inputs: Float32) -> None:
        self.tokens += len(inputs)
        columns = len(self._sum)
        for start in range(0, columns, _PANEL):
            end = min(start + _PANEL, columns)
            self._sum[start:, start:end] += inputs[:, start:].T @ inputs[:, start:end]

    def matrix(self) -> Float32:
        """The whole sum, [columns, columns], symmetric to the bit; nothing can be added any more that it would have."""
        for start in range(0, len(self._sum), _PANEL):
            end = start + _PANEL
            self._sum[start:end, end:] = self._sum[end:, start:end].T
            panel = self._sum[start:end, start:end]
            lower = np.tril(panel)
            panel[...] = lower + np.tril(panel, -1).T
        return self._sum


@final
class ColumnSquares:
    """The sum of squares of each column, in float64."""

    def __init__(self, columns: int) -> None:
        self.sums: NDArray[np.float64] = np.zeros(columns)
        self.tokens = 0

    def add(self, inputs: Float32) -> None:
        self.tokens += len(inputs)
        self.sums += np.square(inputs).sum(0, dtype=np.float64)


@final
class ColumnMagnitudes:
    """The greatest magnitude of each column, and the sum of magnitudes in float64."""

    def __init__(self, columns: int) -> None:
        self.greatest: Float32 = np.zeros(columns, np.float32)
        self.sums: NDArray[np.float64] = np.zeros(columns)
        self.tokens = 0

    def add(self, inputs: Float32) -> None:
        magnitudes = np.abs(inputs)
        self.tokens += len(inputs)
        self.sums += magnitudes.sum(0, dtype=np.float64)
        np.maximum(self.greatest, magnitudes.max(0), out=self.greatest)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.sums / max(1, self.tokens)


@final
class TokenSample:
    """The inputs of some tokens, evenly spread over all: every second, fourth, eighth, as it takes to hold no more."""

    def __init__(self, columns: int, most: int = 1024) -> None:
        """most: an even number."""
        self._held, self._count, self._every, self._seen = np.empty((most, columns), np.float32), 0, 1, 0

    def add(self, inputs: Float32) -> None:
        taken = -self._seen % self._every
        while taken < len(inputs):
            if self._count == len(self._held):
                self._count //= 2
                self._held[: self._count] = self._held[::2].copy()
                self._every *= 2  # what comes next is one of those, too, as there is an even number of them
            found = inputs[taken :: self._every][: len(self._held) - self._count]
            self._held[self._count : self._count + len(found)] = found
            self._count += len(found)
            taken += len(found) * self._every
        self._seen += len(inputs)

    @property
    def inputs(self) -> Float32:
        return self._held[: self._count]
