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
        """ranks: [models], from 1 for the smallest; of rank 0 the threshold is 0 and nothing is up to it."""
        models = len(ranks)
        self._ranks = ranks.copy()
        self._coarse = np.zeros((models, _COARSE_BINS), np.int64)
        self._fine = np.zeros((models, _FINE_BINS), np.int64)
        self._bins = np.zeros(models, np.uint32)

    def count_coarsely(self, base: np.ndarray, models: np.ndarray) -> None:
        for m in range(len(models)):
            _count_high(base, models[m], self._coarse[m])

    def narrow(self) -> None:
        """Choose each model's bin from the coarse counts, and the rank that remains within it."""
        for m, counts in enumerate(self._coarse):
            self._bins[m], self._ranks[m] = _bin_of_rank(counts, self._ranks[m])

    def count_finely(self, base: np.ndarray, models: np.ndarray) -> None:
        for m in range(len(models)):
            _count_low(base, models[m], self._bins[m], self._fine[m])

    def thresholds(self) -> NDArray[np.float32]:
        """The magnitudes, [models]."""
        low = [_bin_of_rank(counts, rank)[0] for counts, rank in zip(self._fine, self._ranks, strict=True)]
        return ((self._bins << np.uint32(_LOW_BITS)) | np.array(low, np.uint32)).view(np.float32)

    def shares_of_ties(self) -> NDArray[np.int64]:
        """How many of the entries equal to its threshold are among a model's k smallest, [models]."""
        return np.array([_bin_of_rank(*pair)[1] for pair in zip(self._fine, self._ranks, strict=True)], np.int64)


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
