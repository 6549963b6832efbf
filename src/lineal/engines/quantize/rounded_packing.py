"""Weights that are rounded by themselves, window after window, and stored in one of compressed-tensors' forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import first_nonfinite
from lineal.checkpoint.codes.packed.form import Form
from lineal.checkpoint.written.layout import Planned
from lineal.engines.quantize.compressed_tensors import form_of
from lineal.engines.stream.packed import Pieces
from lineal.errors import CheckpointError
from lineal.methods.quantize.grid import MIN_MAX, Clipping
from lineal.methods.quantize.packed_schemes import Storage
from lineal.methods.quantize.rounders import rounder
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]


@final
@dataclass(frozen=True)
class RoundedPacking:
    """scale_dtype: of scales that are stored as the model's own numbers are; clipping: of ranges, for whole numbers."""

    storage: Storage
    scale_dtype: str
    clipping: Clipping = MIN_MAX

    @property
    def form(self) -> Form:
        return form_of(self.storage, self.scale_dtype)

    def tensors(self, weight: Planned) -> tuple[Planned, ...]:
        layer = layer_of(weight.name)
        return tuple(Planned(f"{layer}.{part.name}", part.dtype, part.shape) for part in self.form.parts(*weight.shape))

    def unit(self, weight: Planned) -> int:
        return self.form.run * max(1, weight.shape[1])

    def packer(self, weight: Planned) -> "_Rounding":
        return _Rounding(self, weight)

    def working_bytes(self, weight: Planned, count: int) -> int:
        """Codes of a byte, what is packed of them, and as many scales and ranges as there may be groups."""
        return 2 * count + 16 * prod(weight.shape[:1])


def layer_of(weight: str) -> str:
    """The layer whose weight this is, as others name its tensors."""
    return weight.removesuffix(".weight")


@final
class _Rounding:
    """Packs one weight."""

    def __init__(self, packing: RoundedPacking, weight: Planned) -> None:
        self._packing, self._weight, self._form = packing, weight, packing.form
        self._rounder = rounder(packing.storage, packing.scale_dtype, packing.clipping)
        self._layer, self._done = layer_of(weight.name), 0

    @property
    def looks(self) -> int:
        return self._rounder.looks

    def look(self, values: Float32) -> None:
        self._rounder.look(values.reshape(-1, self._weight.shape[1]))

    def pack(self, values: Float32, figures: NDArray[np.float64] | None) -> Pieces:
        matrix, by = values.reshape(-1, self._weight.shape[1]), self._rounder
        codes, scales, zeros = by.round(matrix) if figures is None else by.measured(matrix, figures)
        if not np.isfinite(scales).all():
            self._refuse(values)
        self._done += values.size
        return self._named(self._form.pieces(codes, scales, zeros))

    def end(self) -> Pieces:
        rows, columns = self._weight.shape
        return self._named(self._form.once(rows, columns, self._rounder.numbers()))

    def _named(self, stored: Mapping[str, NDArray[Any]]) -> Pieces:
        return {f"{self._layer}.{name}": piece for name, piece in stored.items()}

    def _refuse(self, values: Float32) -> None:
        name, index = quoted(self._weight.name), first_nonfinite(values, "F32")
        stored = f"as {self._packing.storage.scheme.name}"
        if index >= 0:
            place = f"element {self._done + index} of {name}"
            raise CheckpointError(f"the child: {values[index]} at {place} ({stored}), which no code stands for")
        dtype = self._packing.scale_dtype
        raise CheckpointError(f"the child: {name} ({stored}): its weights are too far apart for scales in {dtype}")
