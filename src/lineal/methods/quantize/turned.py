"""From the order in which a tensor's elements are published to the one in which they are stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.checkpoint.layouts.turn import Turn
from lineal.errors import MethodError
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Turned(StreamingMethod):
    """Hand values on in another order, before they are rounded.

    turn: from the order of the model to that of the child.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "turned"
    paper: ClassVar = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
    reproducibility: ClassVar = Reproducibility.EXACT

    turn: Turn

    def passes(self, site: Site) -> int:
        return 1

    def unit(self, site: Site) -> int:
        """Elements that are turned together."""
        return self.turn.unit

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"turned: the elements of one model are reordered at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        def turn(block: Block) -> None:
            np.copyto(block.out, self.turn.turned(block.models[0]))

        yield Emit(turn)
