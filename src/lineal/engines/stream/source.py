"""Where a method's values come from: a stored tensor, or one with an adapter's update added on the fly."""

import math
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.adapter.adapter import LowRankUpdate
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS, values_together
from lineal.checkpoint.layouts.turn import Turn
from lineal.checkpoint.quantized.coded import Coded


@final
@dataclass(frozen=True, slots=True)
class Source:
    """One parent's tensor as full weights: stored, plus a low-rank update where an adapter has one, in float32.

    spec: of a weight that is stored as codes, these (`Coded.spec`), or the part of them that makes this tensor.
    codes: of such a weight, and first: which of its elements is the first of this tensor. turn: of a tensor whose
    elements are stored in another order, into that of shape; added: to every value as it is stored.
    """

    model: str
    spec: TensorSpec
    update: LowRankUpdate | None = None
    codes: Coded | None = None
    turn: Turn | None = None
    added: float = 0.0
    first: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        """What a child made of it is stored as, unless it is to be something else."""
        if self.codes is not None:
            return self.codes.dtype
        return "F16" if self.spec.dtype in BLOCKS else self.spec.dtype

    @property
    def unit(self) -> int:
        """Elements that a window never divides."""
        together = values_together(self.spec.dtype) if self.is_streamed else 1
        return together if self.turn is None else math.lcm(self.turn.unit, together)

    @property
    def is_streamed(self) -> bool:
        """Whether the bytes of a stretch are read when it is asked for; else all codes were before."""
        return self.codes is None or self.codes.is_streamed

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        """What of a weight stored as codes is read whole."""
        return () if self.codes is None else self.codes.beside
