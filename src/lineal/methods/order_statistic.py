"""The k-th smallest magnitude, exactly, from two histograms over float32 bit patterns: no sort, no copy.

A float32's bits, sign removed, order as the magnitudes do. The upper 16 of the 31 bits choose a bin; a second pass
over that bin's members resolves the lower 15.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from lineal.kernels import kernel

_LOW_BITS = 15
_COARSE_BINS = 1 << 16
_FINE_BINS = 1 << _LOW_BITS


@final
class SmallestMagnitudes:
    """The k-th smallest |model - base| of each model: count coarsely, then `narrow`, then count finely.

    Where there is no base, and `base` is empty, it is the k-th smallest |model|.
    """

    def __init__(self, ranks: NDArray[np.int64]) -> None:
        """ranks: [models], or [models, k] for k of each model; from 1 for the smallest; of rank 0 the threshold is 0
        and nothing is up to it."""
        self._shape = ranks.shape
        self._ranks = ranks.reshape(len(ranks), -1).copy()
        self._coarse = np.zeros((len(ranks), _COARSE_BINS), np.int64)
        self._fine = np.zeros((*self._ranks.shape, _FINE_BINS), np.int64)
        self._bins = np.zeros(self._ranks.shape, np.uint32)

    def count_coarsely(self, base: np.ndarray, models: np.ndarray) -> None:
        for model, counts in zip(models, self._coarse, strict=True):
            _count_high(base, model, counts)

    def narrow(self) -> None:
        """Choose the bin of each rank from the coarse counts, and the rank that remains within it."""
        for m, k in np.ndindex(self._ranks.shape):
            self._bins[m, k], self._ranks[m, k] = _bin_of_rank(self._coarse[m], int(self._ranks[m, k]))

    def count_finely(self, base: np.ndarray, models: np.ndarray) -> None:
        for m, k in np.ndindex(self._ranks.shape):
            _count_low(base, models[m], self._bins[m, k], self._fine[m, k])

    def thresholds(self) -> NDArray[np.float32]:
        """The magnitudes, in the shape of the ranks."""
        low = np.array([digits for digits, _ in self._found()], np.uint32).reshape(self._shape)
        return ((self._bins.reshape(self._shape) << np.uint32(_LOW_BITS)) | low).view(np.float32)

    def shares_of_ties(self) -> NDArray[np.int64]:
        """How many of the entries equal to a threshold are among the k smallest, in the shape of the ranks."""
        return np.array([ties for _, ties in self._found()], np.int64).reshape(self._shape)

    def _found(self) -> list[tuple[int, int]]:
        """The fine bin of each rank, and the rank within it."""
        return [_bin_of_rank(self._fine[place], int(self._ranks[place])) for place in np.ndindex(self._ranks.shape)]


def _bin_of_rank(counts: NDArray[np.int64], rank: int) -> tuple[int, int]:
    """The bin that holds the element of this rank, and its rank within the bin."""
    up_to = np.cumsum(counts)
    found = int(np.searchsorted(up_to, rank))
    return found, int(rank - (up_to[found - 1] if found else 0))


@kernel
def _count_high(base: Any, model: Any, counts: Any) -> None:
    for i in range(model.size):
        origin = base[i] if base.size else np.float32(0)
        magnitude = np.float32(model[i] - origin).view(np.uint32) & np.uint32(0x7FFFFFFF)
        counts[magnitude >> np.uint32(15)] += 1


@kernel
def _count_low(base: Any, model: Any, high: Any, counts: Any) -> None:
    for i in range(model.size):
        origin = base[i] if base.size else np.float32(0)
        magnitude = np.float32(model[i] - origin).view(np.uint32) & np.uint32(0x7FFFFFFF)
        if magnitude >> np.uint32(15) == high:
            counts[magnitude & np.uint32(0x7FFF)] += 1
