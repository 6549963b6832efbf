"""SLERP: along the arc between two models instead of the chord."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s
from lineal.methods.merge.arc import write_arc_shares
from lineal.methods.merge.dot_products import dot_products
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Block, Emit, Gather, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Slerp(StreamingMethod):
    """Spherical interpolation between the first model (t = 0) and the second (t = 1), tensor by tensor.

    t: where between the two, in [0, 1].
    nearly_parallel: from this |cosine| on the arc is a straight line for float32, and linear interpolation is used.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "slerp"
    paper: ClassVar = "https://dl.acm.org/doi/10.1145/325165.325242"
    reproducibility: ClassVar = Reproducibility.EXACT

    t: float = 0.5
    nearly_parallel: float = 0.9995

    def __post_init__(self) -> None:
        if not 0 <= self.t <= 1:
            raise MethodError(f"slerp: t must be in [0, 1], got {self.t}")
        if not 0 < self.nearly_parallel <= 1:
            raise MethodError(f"slerp: nearly_parallel must be in (0, 1], got {self.nearly_parallel}")

    def passes(self, site: Site) -> int:
        return 2

    def check_models(self, count: int) -> None:
        if count != 2:
            raise MethodError(f"slerp: exactly two models are needed, got {count}")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        gather, products = dot_products(site)
        yield gather
        shares = np.empty(2)
        write_arc_shares(products[0, 1], products[0, 0], products[1, 1], self.t, self.nearly_parallel, shares)
        share_first, share_second = np.float32(shares[0]), np.float32(shares[1])

        def emit(block: Block) -> None:
            _combine(block.models[0], block.models[1], share_first, share_second, block.out)

        yield Emit(emit)


@kernel
def _combine(a: Float32s, b: Float32s, share_a: np.float32, share_b: np.float32, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = share_a * a[i] + share_b * b[i]
