"""The k-th smallest magnitude, exactly, from histograms over float32 bit patterns: no sort, no copy.

A float32's bits, sign removed, order as the magnitudes do. The upper 16 of the 31 bits choose a bin; a second sweep
over that bin's members resolves the lower 15. Of a large tensor a sample says where the magnitude will be, and one
sweep confirms it (`magnitude_ranges.py`); where the sample misled the two sweeps follow, so what is found never depends
on it.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Int64s
from lineal.methods.selection.magnitude_ranges import Answers, MagnitudeRanges, bin_of_rank, count_high
from lineal.methods.streaming import Block, Gather, Sample

_LOW_BITS = 15
_COARSE_BINS = 1 << 16
_FINE_BINS = 1 << _LOW_BITS
_CHUNK = 4096

SAMPLED = 1 << 19
"""Elements of a tensor from which on a sample is worth its reading."""

Values: TypeAlias = Callable[[Block], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A block's base and models, whose magnitudes count."""


def gathers(elements: int) -> int:
    """How many sweeps find a magnitude, as a rule."""
    return 1 if elements >= SAMPLED else 2


@final
class SmallestMagnitudes:
    """The k-th smallest |model - base| of each model: run `sweeps`, then ask.

    Where there is no base, and `base` is empty, it is the k-th smallest |model|. A method whose sweeps do other things
    besides counts coarsely itself, calls `narrow`, and counts finely.
    """

    def __init__(self, ranks: NDArray[np.int64]) -> None:
        """ranks: [models], or [models, k] for k of each model; from 1 for the smallest; of rank 0 the threshold is 0
        and nothing is up to it."""
        self._shape = ranks.shape
        self._ranks = ranks.reshape(len(ranks), -1).copy()
        self._coarse = np.zeros((len(ranks), _COARSE_BINS), np.int64)
        self._fine = np.zeros((*self._ranks.shape, _FINE_BINS), np.int64)
        self._bins = np.zeros(self._ranks.shape, np.uint32)
        self._confirmed: Answers | None = None

    def sweeps(self, elements: int, values: Values) -> Iterator[Sample | Gather]:
        """All that is needed for an answer; elements: of a model."""
        if elements >= SAMPLED:
            ranges = MagnitudeRanges(self._ranks, elements)
            yield Sample(lambda block: ranges.look(*values(block)))
            ranges.close_in()
            yield Gather(lambda block: ranges.count(*values(block)))
            self._confirmed = ranges.answers()
        if self._confirmed is None:
            yield Gather(lambda block: self.count_coarsely(*values(block)))
            self.narrow()
            yield Gather(lambda block: self.count_finely(*values(block)))

    def count_coarsely(self, base: NDArray[np.float32], models: NDArray[np.float32]) -> None:
        for model, counts in zip(models, self._coarse, strict=True):
            count_high(base, model, counts)

    def narrow(self) -> None:
        """Choose the bin of each rank from the coarse counts, and the rank that remains within it."""
        for m, k in np.ndindex(self._ranks.shape):
            self._bins[m, k], self._ranks[m, k] = bin_of_rank(self._coarse[m], int(self._ranks[m, k]))

    def count_finely(self, base: NDArray[np.float32], models: NDArray[np.float32]) -> None:
        for m, k in np.ndindex(self._ranks.shape):
            _count_low(base, models[m], np.uint32(self._bins[m, k] << _LOW_BITS), self._fine[m, k])

    def thresholds(self) -> NDArray[np.float32]:
        """The magnitudes, in the shape of the ranks."""
        return self._answers().bits.reshape(self._shape).view(np.float32)

    def ties(self) -> NDArray[np.int64]:
        """How many entries equal a threshold, in the shape of the ranks; of rank 0 that may be left out."""
        return self._answers().ties.reshape(self._shape)

    def shares_of_ties(self) -> NDArray[np.int64]:
        """How many of the entries equal to a threshold are among the k smallest, in the shape of the ranks."""
        return self._answers().shares.reshape(self._shape)

    def _answers(self) -> Answers:
        if self._confirmed is not None:
            return self._confirmed
        answers = Answers.of(self._ranks.shape)
        for place in np.ndindex(self._ranks.shape):
            low, answers.shares[place] = bin_of_rank(self._fine[place], int(self._ranks[place]))
            answers.bits[place] = (int(self._bins[place]) << _LOW_BITS) | low
            answers.ties[place] = self._fine[place][low]
        return answers


@kernel
def _count_low(base: Float32s, model: Float32s, high: np.uint32, counts: Int64s) -> None:
    """Chunk by chunk: the lower bits of all, which are many at once, then the counts of those in the bin.

    high: the bin, as the upper bits of a magnitude.
    """
    digits = np.empty(_CHUNK, np.uint32)
    for start in range(0, model.size, _CHUNK):
        values = model[start : start + _CHUNK]
        if base.size:
            origins = base[start : start + _CHUNK]
            for i in range(values.size):
                digits[i] = (np.float32(values[i] - origins[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)) ^ high
        else:
            for i in range(values.size):
                digits[i] = (np.float32(values[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)) ^ high
        for i in range(values.size):
            if digits[i] <= np.uint32(0x7FFF):
                counts[digits[i]] += 1
