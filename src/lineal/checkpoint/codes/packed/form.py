"""How codes, scales and zero points of a matrix are stored, as the tensors beside a layer."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Int8: TypeAlias = NDArray[np.int8]
Codes: TypeAlias = NDArray[np.int8] | NDArray[np.uint8]
Stored: TypeAlias = Mapping[str, NDArray[Any]]
"""Tensors, or pieces of them, by the ends of their names, in the bytes that they are stored as."""


class Part(NamedTuple):
    """A tensor beside a layer. name: what follows the layer's, as weight_scale."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Form(Protocol):
    """A way to store a matrix of codes [rows, columns].

    Pieces of whole runs of rows, one after the other, are those of the whole matrix. Frozen.
    """

    @property
    def name(self) -> str:
        """What compressed-tensors calls it."""
        ...

    @property
    def run(self) -> int:
        """Rows that fill whole pieces of every tensor."""
        ...

    def parts(self, rows: int, columns: int) -> tuple[Part, ...]:
        """The tensors of a matrix; that with its codes first."""
        ...

    def pieces(self, codes: Codes, scales: Float32, zeros: Int8 | None) -> Stored:
        """What rows add to tensors that grow with them."""
        ...

    def once(self, rows: int, columns: int, numbers: Mapping[str, Float32]) -> Stored:
        """The other tensors. numbers: those that the whole matrix shares, by the ends of their names."""
        ...


def pack(
    form: Form, codes: Codes, scales: Float32, zeros: Int8 | None, numbers: Mapping[str, Float32] | None = None
) -> Stored:
    """All tensors of a whole matrix."""
    rows, columns = codes.shape
    return {**form.pieces(codes, scales, zeros), **form.once(rows, columns, numbers or {})}
