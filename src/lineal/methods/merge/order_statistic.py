"""The k-th largest magnitude, exactly, from two histograms over float32 bit patterns: no sort, no copy.

A float32's bits, sign removed, order as the magnitudes do. The upper 16 of the 31 bits choose a bin; a second pass
over that bin's members resolves the lower 15.
"""

from typing import Any, final

import numpy as np

from lineal.kernels import kernel

_LOW_BITS = 15
_COARSE_BINS = 1 << 16
_FINE_BINS = 1 << _LOW_BITS


@final
class LargestMagnitude:
    """The k-th largest |model - base| of each model: count coarsely, then `narrow`, then count finely."""

    def __init__(self, models: int, ranks: np.ndarray) -> None:
        """ranks: [models], from 1 for the largest."""
        self._ranks = ranks.astype(np.int64)
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

    def thresholds(self) -> np.ndarray:
        """The magnitudes, float32 [models]."""
        low = [_bin_of_rank(self._fine[m], self._ranks[m])[0] for m in range(len(self._ranks))]
        return ((self._bins << np.uint32(_LOW_BITS)) | np.array(low, np.uint32)).view(np.float32)


def _bin_of_rank(counts: np.ndarray, rank: int) -> tuple[int, int]:
    """The bin that holds the element of this rank, counted from the top, and its rank within the bin."""
    from_top = np.cumsum(counts[::-1])
    above = int(np.searchsorted(from_top, rank))
    passed = int(from_top[above - 1]) if above else 0
    return len(counts) - 1 - above, rank - passed


@kernel
def _count_high(base: Any, model: Any, counts: Any) -> None:
    for i in range(model.size):
        magnitude = np.float32(model[i] - base[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)
        counts[magnitude >> np.uint32(15)] += 1


@kernel
def _count_low(base: Any, model: Any, high: Any, counts: Any) -> None:
    for i in range(model.size):
        magnitude = np.float32(model[i] - base[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)
        if magnitude >> np.uint32(15) == high:
            counts[magnitude & np.uint32(0x7FFF)] += 1
