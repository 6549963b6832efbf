"""From one way to lay out rotary position embeddings in a head's rows to the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class RotaryPairs(StreamingMethod):
    """Bring together the two rows of a query or key projection that are rotated as a pair.

    transformers pairs row i of a head with row i + head_size / 2, ggml's Llama row 2 i with row 2 i + 1.

    head_size: rows of a head, an even number.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "rotary_pairs"
    paper: ClassVar = "https://arxiv.org/abs/2104.09864"
    reproducibility: ClassVar = Reproducibility.EXACT

    head_size: int

    def __post_init__(self) -> None:
        if self.head_size < 2 or self.head_size % 2:
            raise MethodError(f"rotary_pairs: head_size must be an even number, got {self.head_size}")

    def passes(self, site: Site) -> int:
        return 1

    def unit(self, site: Site) -> int:
        """A head."""
        return self.head_size * _columns(site)

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"rotary_pairs: the heads of one model are reordered at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        columns, half = _columns(site), self.head_size // 2

        def pair(block: Block) -> None:
            halves = block.models[0].reshape(-1, 2, half, columns)
            np.copyto(block.out.reshape(-1, half, 2, columns), halves.swapaxes(1, 2))

        yield Emit(pair)


def _columns(site: Site) -> int:
    """The values of a row; of a bias 1."""
    return int(np.prod(site.shape[1:], dtype=np.int64))
