"""Elements in another order than a tensor's own: within units of a fixed size, so that any range of units stays one."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, final

if TYPE_CHECKING:  # lineage verbs, which turn nothing, do without numpy
    import numpy as np
    from numpy.typing import NDArray

    Values = TypeVar("Values", bound=np.generic)


@final
@dataclass(frozen=True)
class Turn:
    """dims: of a unit as it is stored; axes: the order in which they follow each other as published."""

    dims: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def unit(self) -> int:
        """Elements that are turned together."""
        return math.prod(self.dims)

    @property
    def back(self) -> "Turn":
        """From the published order to the stored one."""
        return Turn(
            tuple(self.dims[axis] for axis in self.axes), tuple(self.axes.index(n) for n in range(len(self.axes)))
        )

    def turned(self, values: "NDArray[Values]") -> "NDArray[Values]":
        """Whole units of elements, [n], in the other order."""
        import numpy as np

        moved = values.reshape(-1, *self.dims).transpose(0, *(axis + 1 for axis in self.axes))
        return np.ascontiguousarray(moved).reshape(-1)


def transposed(rows: int, columns: int) -> Turn:
    """Matrices that are stored as [rows, columns] and published the other way."""
    return Turn((rows, columns), (1, 0))


def paired(count: int, width: int) -> Turn:
    """Two halves of `count` rows each, which are published as pairs: a row of one, a row of the other."""
    return Turn((2, count, width), (1, 0, 2))


def unpaired(head_rows: int, width: int) -> Turn:
    """Pairs of neighbouring rows, which are published as the two halves of a head of so many rows."""
    return paired(head_rows // 2, width).back


def raw_elements(raw: Any, size: int) -> "NDArray[Any]":
    """Bytes as elements of `size` bytes each, which may be turned."""
    import numpy as np

    return np.frombuffer(raw, np.dtype(f"V{size}") if size not in (1, 2, 4, 8) else np.dtype(f"<u{size}"))
