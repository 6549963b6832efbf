"""Where a method's values come from: a stored tensor, or one with an adapter's update added on the fly."""

import math
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.adapter.adapter import LowRankUpdate
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.scaled import Scales


@final
@dataclass(frozen=True, slots=True)
class Source:
    """One parent's tensor as full weights: stored, plus a low-rank update where an adapter has one, in float32.

    scales: of a weight that is codes; head_rows: of a tensor whose rows a GGUF has in pairs, how many a head has: they
    are turned back into halves.
    """

    model: str
    spec: TensorSpec
    update: LowRankUpdate | None = None
    scales: Scales | None = None
    head_rows: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        """What a child made of it is stored as, unless it is to be something else."""
        if self.scales is not None:
            return self.scales.dtype
        return "F16" if self.spec.dtype in BLOCKS else self.spec.dtype

    @property
    def unit(self) -> int:
        """Elements that a window never divides."""
        if self.head_rows is not None:
            return self.head_rows * math.prod(self.shape[1:])
        return BLOCKS[self.spec.dtype][0] if self.spec.dtype in BLOCKS else 1
