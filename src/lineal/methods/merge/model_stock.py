"""Model Stock: between the base and the mean of fine-tunes, as far as the angles between them say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Float64Rows
from lineal.methods.merge.combination import combine, emit_combination
from lineal.methods.merge.dot_products import add_dot_products, dot_products
from lineal.methods.merge.sphere import CANCELLED
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import GRANULE, Emit, Gather, Site, StreamingMethod


@final
@dataclass(frozen=True, kw_only=True)
class ModelStock(StreamingMethod):
    """Go from the base towards the mean of k models by t = k cos / ((k - 1) cos + 1), tensor by tensor.

    cos is the mean cosine of pairs of task vectors; the paper finds their angles to be nearly all the same. A task
    vector of zeros counts with cosine 0. Where task vectors point apart, cos and t are negative and the child lies
    beyond the base, as in mergekit 0.1.5; where their directions cancel out, it is the base. mergekit takes no product
    of two lengths for less than 1e-6, so that task vectors shorter than 1e-3 count as more perpendicular than they are.

    filter_wise: row by row instead.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "model_stock"
    paper: ClassVar = "https://arxiv.org/abs/2403.19522"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True

    filter_wise: bool = False

    def passes(self, site: Site) -> int:
        return 1 if self.filter_wise else 2

    def unit(self, site: Site) -> int:
        return max(1, site.columns) if self.filter_wise else 1

    def check_models(self, count: int) -> None:
        if count < 2:
            raise MethodError(f"model_stock: at least two models are needed beside the base, got {count}")

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        if self.filter_wise:
            columns = self.unit(site)
            yield Emit(lambda block: _combine_rows(block.base, block.models, columns, block.out))
            return
        gather, products = dot_products(site)
        yield gather
        yield emit_combination(np.full(site.models, _ratio(products) / site.models))


@kernel
def _ratio(products: Float64Rows) -> float:
    count, total = len(products), 0.0
    for i in range(count):
        for j in range(i):
            lengths = math.sqrt(products[i, i]) * math.sqrt(products[j, j])
            total += products[i, j] / lengths if lengths > 0 else 0.0
    cosine = 2 * total / (count * (count - 1))
    divisor = (count - 1) * cosine + 1  # count times the squared length of the mean direction
    return count * cosine / divisor if divisor > count * CANCELLED * CANCELLED else 0.0


@kernel
def _combine_rows(base: Float32s, models: Float32Rows, columns: int, out: Float32s) -> None:
    count = len(models)
    wide, products, shares = np.empty((count, GRANULE)), np.empty((count, count)), np.empty(count)
    for start in range(0, out.size, columns):
        products[:] = 0
        add_dot_products(base, models, start, start + columns, wide, products)
        shares[:] = _ratio(products) / count
        combine(base, models, shares, start, start + columns, out)
