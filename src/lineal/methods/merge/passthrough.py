"""Passthrough: one model as it is, or every weight times a factor."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import Emit, Site, StreamingMethod, per_model


@final
@dataclass(frozen=True, kw_only=True)
class Passthrough(StreamingMethod):
    """Hand one model on.

    scale: what every weight is multiplied by.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "passthrough"
    paper: ClassVar = "https://github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md"
    reproducibility: ClassVar = Reproducibility.EXACT
    elementwise: ClassVar = True

    scale: float = 1.0

    def __post_init__(self) -> None:
        per_model(self.name, "scale", (self.scale,), 1)

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"passthrough: exactly one model is needed, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        (scale,) = per_model(self.name, "scale", (self.scale,), 1)
        yield Emit(lambda block: _scale(block.models[0], scale, block.out))


@kernel
def _scale(model: Float32s, scale: np.float32, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = scale * model[i]
