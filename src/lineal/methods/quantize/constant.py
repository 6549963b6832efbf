"""A tensor that no parent has: its values are known before anything is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Constant(StreamingMethod):
    """Write these values, whatever the models are.

    values: all elements of the tensor in order, each rounded to the nearest float32.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "constant"
    paper: ClassVar = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
    reproducibility: ClassVar = Reproducibility.EXACT

    values: tuple[float, ...]

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count:
            raise MethodError(f"constant: made from no model, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        values = np.array(self.values, np.float32)

        def fill(block: Block) -> None:
            np.copyto(block.out, values[block.start : block.start + block.out.size])

        yield Emit(fill)
