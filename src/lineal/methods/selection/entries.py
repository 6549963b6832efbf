"""Which entries a share selects, exactly so many: by magnitude, and of those that tie some, spread over the tensor.

Of m entries that tie at a threshold and q of them to keep, the r-th in index order, from 0, is kept where
floor((r + 1) q / m) > floor(r q / m). The remainder r q modulo m says when that is, and goes from block to block; it
grows by q and shrinks by m, so no product is formed, and nothing overflows.
"""

from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import ArrayOf, Uint32s
from lineal.methods.selection.order_statistic import SmallestMagnitudes

_WORD = 64
_MAGNITUDE = np.uint32(0x7FFFFFFF)
"""A float32's bits without its sign: they order as the magnitudes do, above them infinity, then NaN."""

CUT = np.dtype([("bits", np.uint32), ("ties", np.int64), ("kept", np.int64), ("carried", np.int64)], align=True)
"""Where a selection begins or ends. bits: of the threshold; ties: how many entries equal it; kept: how many of them
belong to the selection; carried: the remainder from the blocks so far."""
Cuts: TypeAlias = NDArray[np.void]
"""[..., 2]: where the selection of each model begins and ends."""
CutPair: TypeAlias = Annotated[Any, ArrayOf(CUT)]
"""[2]: of one model, as a kernel has it."""
CutPairs: TypeAlias = Annotated[Any, ArrayOf(CUT, 2)]
"""[models, 2]."""


def count_of(share: float, entries: int) -> int:
    """How many of so many entries a share is: the largest count that, divided by them, is not above it as a float64.

    That is floor(share * entries) of the number that was written: 0.29 of 100 is 29, and 1/3 of 3 is 1, although the
    float64 closest to 0.29 is a little less, and 0.29 * 100 is 28.999999999999996.
    """
    nearest = round(share * entries)
    return nearest if nearest == 0 or nearest / entries <= share else nearest - 1


def count_kept(share: float, entries: int) -> int:
    """How many of so many entries a share to keep is: `count_of`, but at least one."""
    return max(1, count_of(share, entries))


def everything(models: int) -> Cuts:
    cuts = np.zeros((models, 2), CUT)
    cuts["bits"][:, 1] = _MAGNITUDE
    return cuts


def all_but_the_smallest(found: SmallestMagnitudes) -> Cuts:
    """What is beyond the rank of each model, [models]."""
    cuts = everything(len(found.thresholds()))
    thresholds = found.thresholds().view(np.uint32)
    for pair, bits, ties, left_out in zip(cuts, thresholds, found.ties(), found.shares_of_ties(), strict=True):
        begin(pair, bits, ties, left_out)
    return cuts


def between(found: SmallestMagnitudes) -> Cuts:
    """What is beyond the first rank of each model, up to the second, [models, 2]."""
    cuts = everything(len(found.thresholds()))
    thresholds = found.thresholds().view(np.uint32)
    for pair, bits, ties, shares in zip(cuts, thresholds, found.ties(), found.shares_of_ties(), strict=True):
        begin(pair, bits[0], ties[0], shares[0])
        pair[1] = bits[1], ties[1], shares[1], 0
        if bits[0] == bits[1]:  # all that is kept ties
            pair[0] = bits[0], ties[1], shares[1] - shares[0], 0
    return cuts


@kernel
def begin(pair: CutPair, bits: np.uint32, ties: int, left_out: int) -> None:
    """Let a selection begin at a threshold, without so many of its ties; without all of them, just behind it."""
    behind = 0 < left_out == ties
    first = pair[0]
    first.bits = bits + np.uint32(behind)
    first.ties = 0 if behind else ties
    first.kept = 0 if behind else ties - left_out
    first.carried = 0


@kernel
def selected(bits: Uint32s, pair: CutPair, out: Uint32s) -> None:
    """Copy to `out` what lies between the cuts, the rest as 0; blocks come in index order.

    bits: of float32 entries, whose signs do not count.
    """
    low, high = pair[0].bits, pair[1].bits
    for i in range(bits.size):
        out[i] = bits[i] if within(bits[i], low, high) else np.uint32(0)
    thin(bits, pair, out)


@kernel
def within(bits: np.uint32, low: np.uint32, high: np.uint32) -> bool:
    """Whether the magnitude of an entry is from `low` up to `high`."""
    magnitude = bits & _MAGNITUDE
    return bool((magnitude >= low) & (magnitude <= high))


@kernel
def thin(bits: Uint32s, pair: CutPair, out: Uint32s) -> None:
    """Set to zero, in `out`, the ties at either end that are not kept; chunks come in index order.

    `out` may be the bits themselves, selected already: ties at 0 are then what they become.
    """
    for end in range(2):
        cut = pair[end]
        if cut.kept < cut.ties and not (end == 1 and pair[0].bits == cut.bits):
            _thin_end(bits, cut, out)


@kernel
def _thin_end(bits: Uint32s, cut: Any, out: Uint32s) -> None:
    threshold, ties, kept, carried = cut.bits, cut.ties, cut.kept, cut.carried
    for start in range(0, bits.size, _WORD):
        entries = bits[start : start + _WORD]
        tied = np.uint64(0)  # a bit for each entry: many are compared at once, and only those that tie are gone through
        for i in range(entries.size):
            tied |= np.uint64((entries[i] & _MAGNITUDE) == threshold) << np.uint64(i)
        while tied:
            lowest = tied & (~tied + np.uint64(1))
            tied ^= lowest
            carried += kept
            if carried >= ties:
                carried -= ties
            else:
                out[start + _exponent(lowest)] = 0
    cut.carried = carried


@kernel
def _exponent(power: Any) -> int:
    """Of a power of two, as a float64 has it."""
    return int(np.float64(power).view(np.uint64) >> np.uint64(52)) - 1023
