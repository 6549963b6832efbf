"""A weight that is stored as codes: the tensors that it is made from, and the values of any stretch of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.turn import Turn

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]
Beside: TypeAlias = NDArray[Any]
"""A tensor read whole, in its stored shape: floats as float32, all else in numpy's type for it (F8_E8M0 as uint8)."""


class Decoder(Protocol):
    """Decodes stretches of one weight; several threads have one each."""

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        """Write the values of the elements from `start` on into `out`.

        raw: the stored bytes of these elements, where codes are streamed; else empty. start: whole units of codes.
        """
        ...


class Coded(Protocol):
    """One weight as codes: frozen and hashable, made of checked headers alone.

    There are two ways of reading. Streamed: the codes of any stretch of elements are a range of the bytes of one stored
    tensor, read window by window; small tensors beside it (scales, zero points) are read whole. Whole: the codes lie in
    another order, so that their tensor, which is a fraction of the weight, is among those beside.
    """

    @property
    def spec(self) -> TensorSpec:
        """The stored tensor of its codes as the weight that it stands for: its own name and place, the weight's shape
        (before `turn`), and a dtype of `CODES` (headers/storage.py), of which a stretch of elements takes whole bytes.
        """
        ...

    @property
    def is_streamed(self) -> bool:
        """Whether the codes are read window by window: `spec` then says where; else it only describes."""
        ...

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        """The stored tensors that are read whole, each with its own name, dtype and shape."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight as it is published, after `turn`."""
        ...

    @property
    def dtype(self) -> str:
        """What a child made of it is stored as: F32, BF16 or F16."""
        ...

    @property
    def turn(self) -> Turn | None:
        """From the order of its codes into that in which it is published."""
        ...

    @property
    def working_bytes(self) -> int:
        """What a decoder holds beside the window: what is read whole, and what is made of it."""
        ...

    def decoder(self, beside: Sequence[Beside]) -> Decoder:
        """beside: the values of what is read whole, in that order.

        Raises CheckpointError, which names the tensor, where values are outside what the format allows.
        """
        ...


@dataclass(frozen=True)
class PublishedOrder(ABC):
    """A weight whose codes are in the order and shape in which it is published, as those of most formats are.

    spec, dtype: see `Coded`.
    """

    spec: TensorSpec
    dtype: str

    @property
    @abstractmethod
    def beside(self) -> tuple[TensorSpec, ...]: ...

    @property
    def is_streamed(self) -> bool:
        """Whether the tensor of the codes is not among those that are read whole."""
        return all(one.name != self.spec.name for one in self.beside)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def turn(self) -> Turn | None:
        return None


class Quantized(NamedTuple):
    """What a folder of quantized weights holds.

    coded: by the name of the weight, as a folder of full weights would have it; beside: names of all stored tensors
    that are no weights (codes under a name of their own, scales, zero points, scales of activations and caches).
    """

    coded: Mapping[str, Coded]
    beside: frozenset[str]
