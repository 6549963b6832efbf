"""Every value with one number added, as some architectures keep the weights of their norms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Raised(StreamingMethod):
    """Add a number to every value, in float32.

    Gemma multiplies by 1 + weight; ggml by the weight, which has the 1 in it.

    by: the number.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "raised"
    paper: ClassVar = "https://arxiv.org/abs/2408.00118"
    reproducibility: ClassVar = Reproducibility.EXACT

    by: float

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"raised: the values of one model are raised at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        added = np.float32(self.by)

        def add(block: Block) -> None:
            np.add(block.models[0], added, out=block.out)

        yield Emit(add)
