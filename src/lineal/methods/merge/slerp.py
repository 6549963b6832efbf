"""SLERP: along the arc between two models instead of the chord."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels import kernel
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import GRANULE, Block, Emit, Gather, Site, StreamingMethod
from lineal.methods.trigonometry import arccos, sin

_LANES = 16


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

    @property
    def passes(self) -> int:
        return 2

    def check_models(self, count: int) -> None:
        if count != 2:
            raise MethodError(f"slerp: exactly two models are needed, got {count}")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        sums = np.zeros(3)  # first . second, |first|^2, |second|^2

        def gather(block: Block) -> None:
            _add_dot_products(block.models[0], block.models[1], sums)

        yield Gather(gather)
        share_first, share_second = self._shares(float(sums[0]), float(sums[1]), float(sums[2]))

        def emit(block: Block) -> None:
            _combine(block.models[0], block.models[1], share_first, share_second, block.out)

        yield Emit(emit)

    def _shares(self, dot: float, first: float, second: float) -> tuple[np.float32, np.float32]:
        norms = math.sqrt(first) * math.sqrt(second)
        cosine = min(1.0, max(-1.0, dot / norms)) if norms > 0 else 0.0
        if abs(cosine) >= self.nearly_parallel:
            return np.float32(1 - self.t), np.float32(self.t)
        angle = arccos(cosine)
        return np.float32(sin((1 - self.t) * angle) / sin(angle)), np.float32(sin(self.t * angle) / sin(angle))


@kernel
def _add_dot_products(a: Any, b: Any, sums: Any) -> None:
    """Sum each granule in 16 interleaved lanes, the lanes in order, then the granules in order: one fixed tree."""
    lanes = np.empty((3, _LANES))
    for start in range(0, a.size, GRANULE):
        lanes[:] = 0
        end = min(start + GRANULE, a.size)
        for group in range(start, end - end % _LANES, _LANES):
            for lane in range(_LANES):
                x, y = np.float64(a[group + lane]), np.float64(b[group + lane])
                lanes[0, lane] += x * y
                lanes[1, lane] += x * x
                lanes[2, lane] += y * y
        for i in range(end - end % _LANES, end):
            x, y = np.float64(a[i]), np.float64(b[i])
            lanes[0, 0] += x * y
            lanes[1, 0] += x * x
            lanes[2, 0] += y * y
        for k in range(3):
            total = 0.0
            for lane in range(_LANES):
                total += lanes[k, lane]
            sums[k] += total


@kernel
def _combine(a: Any, b: Any, share_a: Any, share_b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = share_a * a[i] + share_b * b[i]
