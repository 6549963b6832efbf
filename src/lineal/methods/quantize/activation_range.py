"""What inputs of layers are spread over: seen portion by portion, kept as counts of magnitudes."""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.methods.arrays import Float32

Observer: TypeAlias = Literal["min_max", "percentile", "mse", "moving_average"]
OBSERVERS: Final = ("min_max", "percentile", "mse", "moving_average")
Nearest: TypeAlias = Callable[[Float32, np.float32], Float32]
"""values, the magnitude that the largest code stands for -> what values are stored as."""

_SHIFT: Final = 16
"""Magnitudes whose bits agree but for so many of the lowest are counted together: those within 1/128 of each other."""
_FORGETS: Final = 0.01
_STEPS: Final = 100
_LEAST_SHARE: Final = 0.2


@final
class ActivationRange:
    """The magnitudes of all inputs of some layers."""

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(1 << (31 - _SHIFT), np.int64)
        self._greatest, self._average = np.float32(0), np.float32(0)

    def add(self, inputs: Float32) -> None:
        bits = inputs.reshape(-1).view(np.uint32) & np.uint32(0x7FFFFFFF)
        greatest = bits.max().view(np.float32)
        is_first = not self._counts.any()
        self._average = greatest if is_first else self._average + np.float32(_FORGETS) * (greatest - self._average)
        self._greatest = max(self._greatest, greatest)
        self._counts += np.bincount(bits >> _SHIFT, minlength=len(self._counts))

    def found(self, observer: Observer, nearest: Nearest, percentile: float = 99.99) -> np.float32:
        """The magnitude that the largest code is to stand for.

        min_max: the largest seen. percentile: that which so many of a hundred are not above, to 1/128 of it. mse: of
        100 shares of the largest, from a fifth on, that with the least mean square of what all are away from what they
        are stored as. moving_average: of the largest of each portion, where a new one counts 0.01.
        """
        match observer:
            case "min_max":
                return self._greatest
            case "moving_average":
                return self._average
            case "percentile":
                return self._percentile(percentile)
            case "mse":
                return self._least_squares(nearest)

    def _percentile(self, percentile: float) -> np.float32:
        counts = self._counts.cumsum()
        place = int(np.searchsorted(counts, counts[-1] * percentile / 100))
        return min(self._greatest, np.uint32((place + 1) << _SHIFT).view(np.float32))

    def _least_squares(self, nearest: Nearest) -> np.float32:
        """Each count stands for its middle."""
        places = np.flatnonzero(self._counts)
        middles = ((places.astype(np.uint32) << _SHIFT) + np.uint32(1 << (_SHIFT - 1))).view(np.float32)
        counts, shares = self._counts[places], np.linspace(1, _LEAST_SHARE, _STEPS)
        tried = [np.float32(share * self._greatest) for share in shares]
        errors = [counts @ np.square(middles - nearest(middles, one), dtype=np.float64) for one in tried]
        return tried[int(np.argmin(errors))]
