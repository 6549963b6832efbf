"""How a matrix with a row a token is put together from the rows of other models' matrices."""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.int64]
Indices: TypeAlias = NDArray[np.int32]


@final
@dataclass(frozen=True, eq=False)
class RowMap:
    """Row i is the mean of the picks `first[i]` up to `first[i + 1]`; of no picks it is zero.

    first: [rows + 1], from 0, not falling; models, rows: [picks]: the model a pick is from, by its place among the
    inputs of the merge, and the row of its matrix.
    """

    first: Counts
    models: Indices
    rows: Indices

    def __len__(self) -> int:
        return len(self.first) - 1
