"""A model's matrix in another vocabulary: the same rows in another order, others in place of those it does not have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.engines.stream.row_map import RowMap
from lineal.engines.stream.source import Source
from lineal.methods.streaming import GRANULE


@final
@dataclass(frozen=True, eq=False)
class Gathered:
    """own: the model's stored matrix, [its tokens, ...]; matrices: place among the inputs -> where rows are from."""

    own: Source
    rows: RowMap
    matrices: Mapping[int, Source]

    @property
    def model(self) -> str:
        return self.own.model

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.own.shape[1:])

    @property
    def dtype(self) -> str:
        return self.own.dtype

    @property
    def width(self) -> int:
        """Elements of a row; windows never divide one."""
        return math.prod(self.own.shape[1:])

    @property
    def unit(self) -> int:
        """Whole rows, and whole granules of reductions: no window shows in the result."""
        return math.lcm(self.width, GRANULE)

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The stored tensors that rows are from."""
        return tuple(source.spec for source in self.matrices.values() if source.is_streamed)

    @property
    def bytes_a_sweep(self) -> int:
        """What is read of rows to go through the whole matrix once."""
        picked = ((self.matrices[place], count * self.width) for place, count in self.rows.picked().items())
        return sum(_bytes_around(source, elements) for source, elements in picked if source.is_streamed)


def _bytes_around(source: Source, elements: int) -> int:
    """Of so many elements, where codes of less than a byte may need their neighbours."""
    unit = source.unit
    return byte_length(source.spec.dtype, -(-elements // unit) * unit)


Input: TypeAlias = Source | Gathered
"""What a method is given of one model."""


def stored(read: Input) -> tuple[Source, ...]:
    """The stored tensors behind it."""
    return (read,) if isinstance(read, Source) else tuple(read.matrices.values())
