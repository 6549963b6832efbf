"""A weight that is stored as several tensors: codes, scales and what else lies beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.written.layout import Planned
from lineal.engines.stream.jobs import Job

Pieces: TypeAlias = Mapping[str, NDArray[Any]]
"""Of tensors by their names, what follows in each behind the pieces before."""


class Packing(Protocol):
    """How a weight becomes several tensors. Frozen: all that decides it stands in its fields."""

    def tensors(self, weight: Planned) -> tuple[Planned, ...]:
        """What is stored of a weight, which is planned as it would stand in full; that with its codes first."""
        ...

    def unit(self, weight: Planned) -> int:
        """Elements that a window never divides: whole rows, and as many as fill whole pieces of every tensor."""
        ...

    def packer(self, weight: Planned) -> "Packer":
        """What packs this weight, window after window."""
        ...

    def working_bytes(self, weight: Planned, count: int) -> int:
        """What a packer holds at the most, with windows of so many elements."""
        ...


class Packer(Protocol):
    """Packs one weight. Windows come in order, whole units but for the last, as often as `looks` says and once more."""

    @property
    def looks(self) -> int:
        """How many times all values are shown before any is packed."""
        ...

    def look(self, values: NDArray[np.float32]) -> None: ...

    def pack(self, values: NDArray[np.float32], figures: NDArray[np.float64] | None) -> Pieces:
        """Pieces of some tensors; what rounding cost is added to the figures (`rounding_error`), where they are given.

        Raises: CheckpointError: values that no code stands for, such as infinities.
        """
        ...

    def end(self) -> Pieces:
        """What is only known at the end, and what does not follow from values."""
        ...


@final
@dataclass(frozen=True)
class Packed:
    """job: makes the weight as it would stand in full; its unit is the packing's."""

    job: Job
    packing: Packing

    @property
    def planned(self) -> Planned:
        """The weight in full, which nothing of that name need be stored of."""
        return self.job.planned

    @property
    def tensors(self) -> tuple[Planned, ...]:
        return self.packing.tensors(self.planned)

    @property
    def bytes_read(self) -> int:
        return self.job.bytes_read * (1 + self.packing.packer(self.planned).looks)
