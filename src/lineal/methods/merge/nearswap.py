"""Nearswap: what is near the base in another model is taken over, what is far only approached."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Emit, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class Nearswap(StreamingMethod):
    """Move each of the base's entries towards the model's, by at most t.

    The source writes it as interpolation with weight t / |base - model|, at most 1, which is the same number.

    t: the longest move, not negative; entries that differ by no more become the model's.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "nearswap"
    paper: ClassVar = "https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    t: float

    def __post_init__(self) -> None:
        if not 0 <= self.t <= float(np.finfo(np.float32).max):
            raise MethodError(f"nearswap: t must be finite in float32 and not negative, got {self.t}")

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"nearswap: exactly one model is needed beside the base, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        t = np.float32(self.t)
        yield Emit(lambda block: _approach(block.base, block.models[0], t, block.out))


@kernel
def _approach(base: Float32s, model: Float32s, t: np.float32, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = min(max(model[i], base[i] - t), base[i] + t)
