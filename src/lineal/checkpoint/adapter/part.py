"""Which part of an adapter's matrices changes one weight, where they change several: experts, rows of joined layers."""

import re
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(.*)", re.DOTALL)
_TURNED_UNTIL = (0, 19, 1)


@final
@dataclass(frozen=True)
class Part:
    """Of A [experts * rank, in] and B [out, rank * experts] on a parameter [experts, rows, columns], what one weight
    takes.

    In A the rows of an expert follow each other; in B its columns lie `experts` apart. experts: of the parameter;
    chosen: those that the weight holds; rows: of each. turned: A's inputs are the rows and B's outputs the columns, as
    PEFT up to 0.19.0 took [experts, rows, columns] for [experts, in, out].
    """

    experts: int
    chosen: range
    rows: range
    turned: bool = False

    def of(self, b: NDArray[np.float32], a: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """B [experts, rows, rank] and A [experts, rank, columns] of what is chosen."""
        left = b.reshape(len(b), -1, self.experts).transpose(2, 0, 1)
        right = a.reshape(self.experts, -1, a.shape[1])
        if self.turned:
            left, right = right.transpose(0, 2, 1), left.transpose(0, 2, 1)
        experts, rows = (slice(one.start, one.stop) for one in (self.chosen, self.rows))
        return np.ascontiguousarray(left[experts, rows]), np.ascontiguousarray(right[experts])


def ways_to_fit(shape: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]) -> frozenset[bool]:
    """Whether matrices of these shapes fit a parameter turned, straight, either way (where it is square) or no way."""
    if len(a) != 2 or len(b) != 2 or len(shape) not in (2, 3) or 0 in shape:
        return frozenset()
    experts = shape[0] if len(shape) == 3 else 1
    if a[0] != b[1] or a[0] % experts:
        return frozenset()
    straight = {False} if (b[0], a[1]) == shape[-2:] else set[bool]()
    turned = {True} if experts > 1 and (a[1], b[0]) == shape[-2:] else set[bool]()  # a single one PEFT never turns
    return frozenset(straight | turned)


def is_turned_by(version: object) -> bool | None:
    """Whether this version of PEFT turns matrices of experts whose rows are outputs; None where that is not known."""
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        return None
    numbers = (int(match[1]), int(match[2]), int(match[3]))
    if numbers == _TURNED_UNTIL and match[4]:
        return None  # between the two releases it changed
    return numbers < _TURNED_UNTIL
