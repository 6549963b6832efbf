"""From the order in which a tensor's elements are published to the one in which they are stored."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Turned(StreamingMethod):
    """Hand values on in another order, before they are rounded.

    dims: of the values that are turned together, as the model has them; axes: the order in which the child has them.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "turned"
    paper: ClassVar = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
    reproducibility: ClassVar = Reproducibility.EXACT

    dims: tuple[int, ...]
    axes: tuple[int, ...]

    def passes(self, site: Site) -> int:
        return 1

    def unit(self, site: Site) -> int:
        """Elements that are turned together."""
        return math.prod(self.dims)

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"turned: the elements of one model are reordered at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        order = (0, *(axis + 1 for axis in self.axes))

        def turn(block: Block) -> None:
            moved = block.models[0].reshape(-1, *self.dims).transpose(order)
            np.copyto(block.out.reshape(moved.shape), moved)

        yield Emit(turn)
