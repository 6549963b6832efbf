"""A range of magnitudes around each rank, guessed from a sample; one sweep over all tells whether it was right."""

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Int32s, Int64s

_LOW_BITS = 15
_COARSE_BINS = 1 << 16
_MARGIN = 0.02
"""How far the share of a sample up to a magnitude may be from that of the tensor."""
_WIDEST = 1 << 19
"""Bit patterns of a range, a sixteenth of an octave: a core's cache holds a count each."""
_CHUNK = 4096


@final
@dataclass(frozen=True)
class Answers:
    """bits: of the magnitudes; ties: how many entries equal each; shares: how many of them are up to its rank.

    All are [models, k].
    """

    bits: NDArray[np.uint32]
    ties: NDArray[np.int64]
    shares: NDArray[np.int64]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Self:
        """None yet: as of rank 0."""
        return cls(np.zeros(shape, np.uint32), np.zeros(shape, np.int64), np.zeros(shape, np.int64))


@final
class MagnitudeRanges:
    """`look` at a sample, `close_in`, `count` all, and ask for answers."""

    def __init__(self, ranks: NDArray[np.int64], elements: int) -> None:
        """ranks: [models, k], from 1; 0 is answered by 0. elements: of a model."""
        self._ranks, self._elements = ranks, elements
        self._seen = np.zeros((len(ranks), _COARSE_BINS), np.int64)
        self._low = np.zeros(ranks.shape, np.uint32)
        self._below = np.zeros(ranks.shape, np.int64)
        self._counts: dict[tuple[int, ...], NDArray[np.int32]] = {}

    def look(self, base: NDArray[np.float32], models: NDArray[np.float32]) -> None:
        for model, counts in zip(models, self._seen, strict=True):
            count_high(base, model, counts)

    def close_in(self) -> None:
        """The range of each rank: the sample's share up to it, and a margin; around its middle if that is too wide."""
        for m, k in np.ndindex(self._ranks.shape):
            share, total = self._ranks[m, k] / self._elements, int(self._seen[m].sum())
            wanted = [np.clip(share + margin, 0, 1) * total for margin in (-_MARGIN, 0, _MARGIN)]
            low, middle, high = (bin_of_rank(self._seen[m], max(1, int(rank)))[0] << _LOW_BITS for rank in wanted)
            low = max(low, middle - _WIDEST // 2)
            end = min(high + (1 << _LOW_BITS), low + _WIDEST)
            self._low[m, k] = low
            self._counts[m, k] = np.zeros(end - low, np.int32)

    def count(self, base: NDArray[np.float32], models: NDArray[np.float32]) -> None:
        for (m, k), counts in self._counts.items():
            self._below[m, k] += _count_within(base, models[m], self._low[m, k], counts)

    def answers(self) -> Answers | None:
        """None where the magnitude of some rank is outside its range."""
        answers = Answers.of(self._ranks.shape)
        for place, counts in self._counts.items():
            rank, below = int(self._ranks[place]), int(self._below[place])
            if rank == 0:
                continue
            if not below < rank <= below + int(counts.sum(dtype=np.int64)):
                return None
            found, answers.shares[place] = bin_of_rank(counts, rank - below)
            answers.bits[place] = int(self._low[place]) + found
            answers.ties[place] = counts[found]
        return answers


def bin_of_rank(counts: NDArray[Any], rank: int) -> tuple[int, int]:
    """The bin that holds the element of this rank, and its rank within the bin."""
    up_to = np.cumsum(counts, dtype=np.int64)
    found = int(np.searchsorted(up_to, rank))
    return found, int(rank - (up_to[found - 1] if found else 0))


@kernel
def count_high(base: Float32s, model: Float32s, counts: Int64s) -> None:
    """Count the entries of each bin, which is the upper 16 bits of a magnitude's 31."""
    for i in range(model.size):
        origin = base[i] if base.size else np.float32(0)
        magnitude = np.float32(model[i] - origin).view(np.uint32) & np.uint32(0x7FFFFFFF)
        counts[magnitude >> np.uint32(15)] += 1


@kernel
def _count_within(base: Float32s, model: Float32s, low: np.uint32, counts: Int32s) -> int:
    """Count the bit patterns from `low` on, as many as there are counts; returns how many entries are below.

    Chunk by chunk: the distances of all, which are many at once, then the counts of the few within.
    """
    distances = np.empty(_CHUNK, np.uint32)
    below = 0
    for start in range(0, model.size, _CHUNK):
        values = model[start : start + _CHUNK]
        smaller = np.uint32(0)
        if base.size:
            origins = base[start : start + _CHUNK]
            for i in range(values.size):
                magnitude = np.float32(values[i] - origins[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)
                distances[i] = magnitude - low
                smaller += np.uint32(magnitude < low)
        else:
            for i in range(values.size):
                magnitude = np.float32(values[i]).view(np.uint32) & np.uint32(0x7FFFFFFF)
                distances[i] = magnitude - low
                smaller += np.uint32(magnitude < low)
        below += np.int64(smaller)
        for i in range(values.size):
            if distances[i] < counts.size:
                counts[distances[i]] += 1
    return int(below)
