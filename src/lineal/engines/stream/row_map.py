"""How a matrix with a row a token is put together from the rows of several models' matrices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.int64]
Places: TypeAlias = NDArray[np.int32]

Pick: TypeAlias = tuple[int, int]
"""A model, by its place among the inputs of a merge, and a row of its matrix."""

ZEROS: Pick = (-1, 0)
"""A row of zeros, which is no model's."""


@final
@dataclass(frozen=True)
class Run:
    """Picks of one model whose rows follow each other: `count` of them, the first of which is the pick `at`."""

    at: int
    count: int
    model: int
    row: int


@final
@dataclass(frozen=True, eq=False)
class RowMap:
    """Row i is the mean of the picks `first[i]` up to `first[i + 1]`; of none, the mean of all rows that have some.

    first: [rows + 1], from 0, not falling; models, rows: [picks].
    """

    first: Counts
    models: Places
    rows: Places

    @classmethod
    def of(cls, picks: Sequence[Sequence[Pick]]) -> Self:
        """The map whose row i is made of picks[i]."""
        first = np.cumsum([0, *(len(row) for row in picks)], dtype=np.int64)
        flat = np.array([pick for row in picks for pick in row], np.int32).reshape(-1, 2)
        return cls(first, np.ascontiguousarray(flat[:, 0]), np.ascontiguousarray(flat[:, 1]))

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def is_padded(self) -> bool:
        """Whether some row is made of no pick."""
        return bool((np.diff(self.first) == 0).any())

    def picked(self) -> dict[int, int]:
        """Model -> how many picks are rows of it."""
        models, counts = np.unique(self.models, return_counts=True)
        return {int(model): int(count) for model, count in zip(models, counts, strict=True) if model != ZEROS[0]}

    def last_row(self, model: int) -> int:
        """The highest row that is picked of a model's matrix; -1 where none is."""
        return int(self.rows[self.models == model].max(initial=-1))

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """The picks from `start` up to `end` that are rows of models, as few runs as there are."""
        models, rows = self.models[start:end], self.rows[start:end]
        breaks = np.flatnonzero((np.diff(models) != 0) | (np.diff(rows) != 1)) + 1
        for low, high in zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True):
            if high > low and models[low] != ZEROS[0]:
                yield Run(start + low, high - low, int(models[low]), int(rows[low]))
