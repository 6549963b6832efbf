"""Codes that a method has found, stored as the child's plan has it for codes that are rounded on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.written.layout import Planned
from lineal.engines.quantize.rounded_packing import RoundedPacking, layer_of
from lineal.engines.stream.packed import Pieces
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Rounded
from lineal.methods.quantize.rounders import measured_block
from lineal.methods.quantize.rounding_error import add_rounding_error


@final
@dataclass(frozen=True, eq=False)
class FoundPacking:
    """packing: of the plan, whose form is kept; the values that come are what was rounded."""

    packing: RoundedPacking
    rounded: Rounded

    def tensors(self, weight: Planned) -> tuple[Planned, ...]:
        return self.packing.tensors(weight)

    def unit(self, weight: Planned) -> int:
        return self.packing.unit(weight)

    def packer(self, weight: Planned) -> "_Found":
        return _Found(self, weight)

    def working_bytes(self, weight: Planned, count: int) -> int:
        return self.packing.working_bytes(weight, count)


@final
class _Found:
    """Packs the rows of the codes, as many as come of the values."""

    looks = 0

    def __init__(self, found: FoundPacking, weight: Planned) -> None:
        self._block = measured_block(found.packing.storage.span)
        self._form, self._rounded = found.packing.form, found.rounded
        self._weight, self._layer, self._row = weight, layer_of(weight.name), 0

    def look(self, values: Float32) -> None:
        pass

    def pack(self, values: Float32, figures: NDArray[np.float64] | None) -> Pieces:
        rows = slice(self._row, self._row + values.size // self._weight.shape[1])
        self._row = rows.stop
        found = self._rounded
        if figures is not None:
            stored = np.ascontiguousarray(found.values[rows], np.float32).reshape(-1)
            add_rounding_error(values, stored, self._block, figures)
        zeros = None if found.zeros is None else found.zeros[rows]
        return self._named(self._form.pieces(found.codes[rows], found.scales[rows], zeros))

    def end(self) -> Pieces:
        rows, columns = self._weight.shape
        return self._named(self._form.once(rows, columns, self._rounded.numbers))

    def _named(self, pieces: Mapping[str, NDArray[Any]]) -> Pieces:
        return {f"{self._layer}.{name}": np.ascontiguousarray(piece) for name, piece in pieces.items()}
