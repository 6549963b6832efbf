"""Where a method's values come from: a stored tensor, or one with an adapter's update added on the fly."""

from dataclasses import dataclass
from typing import final

from lineal.checkpoint.adapter.adapter import LowRankUpdate
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.layouts.turn import Turn
from lineal.checkpoint.scaled import Scales


@final
@dataclass(frozen=True, slots=True)
class Source:
    """One parent's tensor as full weights: stored, plus a low-rank update where an adapter has one, in float32.

    scales: of a weight that is codes; turn: of a tensor whose elements are stored in another order, into that of shape;
    added: to every value as it is stored.
    """

    model: str
    spec: TensorSpec
    update: LowRankUpdate | None = None
    scales: Scales | None = None
    turn: Turn | None = None
    added: float = 0.0

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
        if self.turn is not None:
            return self.turn.unit
        return BLOCKS[self.spec.dtype][0] if self.spec.dtype in BLOCKS else 1
