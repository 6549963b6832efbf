"""Arcee Fusion: of a fine-tune, only the changes that stand out are taken into the base."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s, Float64s
from lineal.methods.merge.divergence import divergences
from lineal.methods.method import Reproducibility
from lineal.methods.selection.order_statistic import SmallestMagnitudes
from lineal.methods.streaming import Block, Emit, Float32, Gather, Site, StreamingMethod

_ANNOUNCEMENT = (
    "https://www.arcee.ai/blog/meet-mergekit-v0-1-arcee-fusion-expanded-model-support-multi-gpu-acceleration"
)
_NO_BASE = np.empty(0, np.float32)
_LARGEST = float(np.finfo(np.float32).max)
_FENCE = 1.5
"""How many interquartile ranges above the median an importance stands out."""


@final
@dataclass(frozen=True, kw_only=True)
class ArceeFusion(StreamingMethod):
    """Take from one model the entries whose change from the base is important, and leave all others at the base.

    An entry's importance is its change's magnitude times the divergence of its row, KL(softmax(model) ||
    softmax(base)); a tensor of one dimension is one row. Important are those from the median + 1.5 (Q3 - Q1) of the
    tensor's importances on, whose quartiles are entries of it: of n in order those at (n-1)/4, (n-1)/2 and 3(n-1)/4,
    rounded down.

    Nothing but mergekit's announcement describes the method; what that leaves open is as mergekit 0.1.5 does it, found
    by running it. In float64 both take the same entries; in float32 the divergence of a row that has changed little
    drowns in rounding there, so it is always float64 here.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "arcee_fusion"
    paper: ClassVar = _ANNOUNCEMENT
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    def passes(self, site: Site) -> int:
        return 3

    def unit(self, site: Site) -> int:
        return max(1, site.columns)

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"arcee_fusion: exactly one model is needed beside the base, got {count}")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        columns = self.unit(site)
        row_divergences = np.empty(site.elements // columns)
        quartiles = SmallestMagnitudes(np.array([[1 + quarter * (site.elements - 1) // 4 for quarter in (1, 2, 3)]]))

        def importances(block: Block) -> Float32:
            found = np.empty_like(block.models)
            _importances(block.base, block.models[0], row_divergences[block.start // columns :], columns, found[0])
            return found

        def gather(block: Block) -> None:
            rows = slice(block.start // columns, (block.start + block.out.size) // columns)
            divergences(block.models[0], block.base, columns, row_divergences[rows])
            quartiles.count_coarsely(_NO_BASE, importances(block))

        yield Gather(gather)
        quartiles.narrow()
        yield Gather(lambda block: quartiles.count_finely(_NO_BASE, importances(block)))
        first, median, third = quartiles.thresholds()[0].astype(np.float64)
        least = median + _FENCE * (third - first)
        yield Emit(lambda block: _take(block.base, block.models[0], importances(block)[0], least, block.out))


@kernel
def _importances(base: Float32s, model: Float32s, row_divergences: Float64s, columns: int, out: Float32s) -> None:
    """|change| times the row's divergence, as float32; what is too large for that is its largest number."""
    for start in range(0, out.size, columns):
        divergence = row_divergences[start // columns]
        for i in range(start, start + columns):
            importance = np.float64(abs(model[i] - base[i])) * divergence
            out[i] = min(importance, _LARGEST)


@kernel
def _take(base: Float32s, model: Float32s, importances: Float32s, least: float, out: Float32s) -> None:
    for i in range(out.size):
        out[i] = model[i] if importances[i] >= least else base[i]
