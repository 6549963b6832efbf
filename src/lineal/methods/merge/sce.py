"""SCE: select the entries in which the models differ most, weigh the models by what was selected, elect signs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Uint32s
from lineal.methods.merge.consensus import combine_agreeing
from lineal.methods.merge.dot_products import add_dot_products
from lineal.methods.method import Reproducibility
from lineal.methods.selection.entries import CutPair, Cuts, all_but_the_smallest, count_kept, everything, thin, within
from lineal.methods.selection.order_statistic import SmallestMagnitudes, gathers
from lineal.methods.streaming import GRANULE, Block, Emit, Float32, Gather, Sample, Site, StreamingMethod

_CHUNK = 2048
_NO_BASE = np.empty(0, np.float32)
_ALL = np.uint32(0xFFFFFFFF)


@final
@dataclass(frozen=True, kw_only=True)
class Sce(StreamingMethod):
    """Merge the task vectors where they differ most, weighted by their squares, tensor by tensor.

    Select: of n positions the floor(select_topk * n) with the largest variance over the task vectors remain, at least
    one; of those that tie for the last places some, spread evenly over the tensor. Calculate: a model's weight is its
    share of the squares of all that remains. Erase: a position's sign is that of the sum of its entries, each model
    counting once; those that agree are averaged by weight.

    So say the paper and mergekit's guide. mergekit 0.1.5 differs where models changed little or in few places: it takes
    the share of the positions that vary at all, selects nothing where that is less than one, and weighs all models
    alike where the sum of their mean squares is below 1e-6, as it is in most fine-tunes.

    select_topk: share of the positions to select, in (0, 1]; 1 selects all (the paper's tau).
    """

    kind: ClassVar = "merge"
    name: ClassVar = "sce"
    version: ClassVar = 2
    paper: ClassVar = "https://arxiv.org/abs/2408.07990"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    select_topk: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.select_topk <= 1:
            raise MethodError(f"sce: select_topk must be in (0, 1], got {self.select_topk}")

    def passes(self, site: Site) -> int:
        return 2 if self.select_topk == 1 else 2 + gathers(site.elements)

    def check_models(self, count: int) -> None:
        if count < 2:
            raise MethodError(f"sce: at least two models are needed, it selects where they differ, got {count}")

    def sweeps(self, site: Site) -> Iterator[Sample | Gather | Emit]:
        cuts = everything(1)
        if self.select_topk < 1 and site.elements:
            smallest = SmallestMagnitudes(np.array([site.elements - count_kept(self.select_topk, site.elements)]))
            yield from smallest.sweeps(site.elements, lambda block: (_NO_BASE, self._variances(block)[None]))
            cuts = all_but_the_smallest(smallest)
        gathered, emitted = cuts, cuts.copy()  # each sweep begins anew
        products, wide = np.zeros((site.models, site.models)), np.empty((site.models, GRANULE))

        def gather(block: Block) -> None:
            add_dot_products(_NO_BASE, self._selected(block, gathered), 0, block.out.size, wide, products)

        yield Gather(gather)
        squares = np.diagonal(products)
        weights = (squares / (sum(squares.tolist()) or 1.0)).astype(np.float32)
        votes = np.ones(site.models, np.float32)

        def emit(block: Block) -> None:
            vectors = self._selected(block, emitted)
            combine_agreeing(block.base, vectors, votes, weights, np.float32(1), True, block.out)

        yield Emit(emit)

    def _selected(self, block: Block, cuts: Cuts) -> Float32:
        """Task vectors that are 0 at the positions that are not selected; blocks come in index order."""
        vectors = np.empty_like(block.models)  # in place the loop that fills them would be no vector code
        _keep_selected(block.base, block.models, self._variances(block).view(np.uint32), cuts[0], vectors)
        return vectors

    def _variances(self, block: Block) -> Float32:
        """How much the task vectors differ at each position, [n]; where all are selected nobody asks."""
        variances = np.zeros(block.out.size, np.float32)
        if self.select_topk < 1:
            _add_deviations(block.base, block.models, variances)
        return variances


@kernel
def _add_deviations(base: Float32s, models: Float32Rows, variances: Float32s) -> None:
    """The sum over the models of (vector - mean)^2, which orders positions as the variance does."""
    count = np.float64(len(models))
    mean, total = np.empty(_CHUNK), np.empty(_CHUNK)
    for start in range(0, variances.size, _CHUNK):  # each loop below stays in the first-level cache and vectorizes
        out, origin = variances[start : start + _CHUNK], base[start : start + _CHUNK]
        mean[:], total[:] = 0, 0
        for m in range(len(models)):
            model = models[m, start : start + _CHUNK]
            for i in range(out.size):
                mean[i] += np.float64(model[i] - origin[i])
        for i in range(out.size):
            mean[i] /= count
        for m in range(len(models)):
            model = models[m, start : start + _CHUNK]
            for i in range(out.size):
                deviation = np.float64(model[i] - origin[i]) - mean[i]
                total[i] += deviation * deviation
        for i in range(out.size):
            out[i] += total[i]


@kernel
def _keep_selected(
    base: Float32s, models: Float32Rows, variances: Uint32s, pair: CutPair, vectors: Float32Rows
) -> None:
    """variances: their bits."""
    low, high = pair[0].bits, pair[1].bits
    marks = np.empty(_CHUNK, np.uint32)
    for start in range(0, base.size, _CHUNK):  # each loop below stays in the first-level cache and vectorizes
        origin, varied = base[start : start + _CHUNK], variances[start : start + _CHUNK]
        for i in range(varied.size):
            marks[i] = _ALL if within(varied[i], low, high) else np.uint32(0)
        thin(varied, pair, marks)
        for m in range(len(models)):
            model, vector = models[m, start : start + _CHUNK], vectors[m, start : start + _CHUNK]
            for i in range(origin.size):  # a mask, for none could predict a branch
                bits = np.float32(model[i] - origin[i]).view(np.uint32)
                vector[i] = np.uint32(bits & marks[i]).view(np.float32)
