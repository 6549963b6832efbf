"""What a share selects, with exact fractions and lists; it shares no code with lineal.

Magnitudes are ranked as float32 has them. Of m that tie and q to keep, the r-th in order is kept where
floor((r + 1) q / m) > floor(r q / m).
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tests.builders import Array


def count(share: float, entries: int) -> int:
    """floor(share * entries), of the decimal that the share is written as."""
    return int(Fraction(repr(float(share))) * entries)


def spread(places: Sequence[int], kept: int) -> list[int]:
    ties = len(places)
    return [place for r, place in enumerate(places) if (r + 1) * kept // ties > r * kept // ties]


def between(magnitudes: Array, first: int, last: int) -> Array:
    """Which are those from rank `first`, from 0 for the smallest, up to `last`, not included: a mask."""
    flat = [float(magnitude) for magnitude in np.asarray(magnitudes, np.float32).reshape(-1)]
    chosen = sorted(flat)[first:last]
    kept: list[int] = [place for place, magnitude in enumerate(flat) if chosen and chosen[0] < magnitude < chosen[-1]]
    for end in sorted({chosen[0], chosen[-1]}) if chosen else []:
        kept += spread([place for place, magnitude in enumerate(flat) if magnitude == end], chosen.count(end))
    mask = np.zeros(len(flat), bool)
    mask[kept] = True
    return mask.reshape(np.shape(magnitudes))


def largest(magnitudes: Array, share: float) -> Array:
    """Which are the share's largest, at least one."""
    size = int(np.size(magnitudes))
    return between(magnitudes, size - max(1, count(share, size)), size)
