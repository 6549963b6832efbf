"""NuSLERP: SLERP with weights, of models or of task vectors, on whole tensors, rows or columns."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from lineal.errors import MethodError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32Rows, Float32s, Float64Rows
from lineal.methods.merge.arc import arc_shares, write_arc_shares
from lineal.methods.merge.combination import combine, emit_combination
from lineal.methods.merge.dot_products import add_dot_products, dot_products
from lineal.methods.merge.sphere import CANCELLED
from lineal.methods.method import Reproducibility
from lineal.methods.streaming import GRANULE, Emit, Gather, Site, StreamingMethod, per_model

_STRAIGHT = math.sqrt(1 - CANCELLED * CANCELLED)


@final
@dataclass(frozen=True, kw_only=True)
class NuSlerp(StreamingMethod):
    """Spherical interpolation of two models; with a base, of their task vectors, added to the base.

    Parallel and opposite vectors are interpolated linearly, and a vector of zeros is perpendicular to all, as mergekit
    0.1.5 does. It differs in three points: its row_wise means columns and the reverse, against its documentation; it
    takes weights that sum to 0 for equal ones; and vectors shorter than 1e-7 lose their direction there.

    weights: of the first and the second, none means equal; the point on the arc is t = second / (first + second).
    flatten: each tensor is one vector; off, each of its columns, or rows, is one.
    row_wise: with flatten off, rows (along the last dimension) instead of columns (along all others).
    """

    kind: ClassVar = "merge"
    name: ClassVar = "nuslerp"
    paper: ClassVar = "https://dl.acm.org/doi/10.1145/325165.325242"
    reproducibility: ClassVar = Reproducibility.EXACT
    uses_base: ClassVar = True
    base_is_optional: ClassVar = True

    weights: tuple[float, ...] = ()
    flatten: bool = True
    row_wise: bool = False

    def __post_init__(self) -> None:
        if self.flatten and self.row_wise:
            raise MethodError("nuslerp: row_wise says which vectors a tensor is cut into; it needs flatten off")

    def passes(self, site: Site) -> int:
        return 1 if self.row_wise else 2

    def unit(self, site: Site) -> int:
        return 1 if self.flatten else max(1, site.columns)

    def check_models(self, count: int) -> None:
        if count != 2:
            raise MethodError(f"nuslerp: exactly two models are needed, got {count}")
        self._t()

    def sweeps(self, site: Site) -> Iterator[Gather | Emit]:
        if self.flatten:
            return self._of_tensor(site)
        return self._of_rows(site) if self.row_wise else self._of_columns(site)

    def _t(self) -> float:
        first, second = per_model(self.name, "weights", self.weights, 2).astype(np.float64)
        if first + second == 0:
            raise MethodError("nuslerp: the weights sum to 0, which cannot be normalized")
        return float(second / (first + second))

    def _of_tensor(self, site: Site) -> Iterator[Gather | Emit]:
        gather, products = dot_products(site)
        yield gather
        shares = np.empty(2)
        write_arc_shares(products[0, 1], products[0, 0], products[1, 1], self._t(), _STRAIGHT, shares)
        yield emit_combination(shares)

    def _of_rows(self, site: Site) -> Iterator[Emit]:
        columns, t = self.unit(site), self._t()
        yield Emit(lambda block: _interpolate_rows(block.base, block.models, columns, t, block.out))

    def _of_columns(self, site: Site) -> Iterator[Gather | Emit]:
        columns = self.unit(site) if len(site.shape) > 1 else 1  # a tensor of one dimension is one vector either way
        sums, shares, t = np.zeros((3, columns)), np.empty((2, columns)), self._t()
        yield Gather(lambda block: _add_column_products(block.base, block.models, sums))
        _share_columns(sums, t, shares)
        yield Emit(lambda block: _combine_columns(block.base, block.models, shares, block.out))


@kernel
def _interpolate_rows(base: Float32s, models: Float32Rows, columns: int, t: float, out: Float32s) -> None:
    wide, products, shares = np.empty((2, GRANULE)), np.empty((2, 2)), np.empty(2)
    for start in range(0, out.size, columns):
        products[:] = 0
        add_dot_products(base, models, start, start + columns, wide, products)
        shares[0], shares[1] = arc_shares(products[0, 1], products[0, 0], products[1, 1], t, _STRAIGHT)
        combine(base, models, shares, start, start + columns, out)


@kernel
def _add_column_products(base: Float32s, models: Float32Rows, sums: Float64Rows) -> None:
    """Add what whole rows contribute to each column's products: first . second, |first|^2, |second|^2."""
    columns = sums.shape[1]
    for start in range(0, models.shape[1], columns):
        a, b, origin = models[0, start:], models[1, start:], base[start:]
        for j in range(columns):
            o = np.float64(origin[j]) if base.size else 0.0
            x, y = np.float64(a[j]) - o, np.float64(b[j]) - o
            sums[0, j] += x * y
            sums[1, j] += x * x
            sums[2, j] += y * y


@kernel
def _share_columns(sums: Float64Rows, t: float, shares: Float64Rows) -> None:
    for j in range(sums.shape[1]):
        shares[0, j], shares[1, j] = arc_shares(sums[0, j], sums[1, j], sums[2, j], t, _STRAIGHT)


@kernel
def _combine_columns(base: Float32s, models: Float32Rows, shares: Float64Rows, out: Float32s) -> None:
    columns = shares.shape[1]
    for start in range(0, out.size, columns):
        a, b, origin, child = models[0, start:], models[1, start:], base[start:], out[start:]
        for j in range(columns):
            o = np.float64(origin[j]) if base.size else 0.0
            child[j] = o + (shares[0, j] * (np.float64(a[j]) - o) + shares[1, j] * (np.float64(b[j]) - o))
