"""int8 as bitsandbytes saves it: codes under the weight's own name, and the largest magnitude of each row in SCB."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from lineal.checkpoint.codes.llm_int8 import STEP
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Beside, Coded, Decoder, Float32, PublishedOrder, Raw
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.scaling import Blocks, scale
from lineal.errors import CheckpointError
from lineal.shown import quoted

_ROW_MAJOR = 0
"""The one order of codes that bitsandbytes still writes; others are those of old GPUs."""


@final
@dataclass(frozen=True)
class Int8Weight(PublishedOrder):
    """A weight [rows, columns] of a byte each. largest: F32 [rows]; order: U8 [], how the codes lie, or None."""

    label: str
    largest: TensorSpec
    order: TensorSpec | None

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        return (self.largest, *(() if self.order is None else (self.order,)))

    @property
    def working_bytes(self) -> int:
        return 4 * self.largest.elements

    def decoder(self, beside: Sequence[Beside]) -> Decoder:
        largest, *order = beside
        if self.order is not None and (found := int(order[0].reshape(-1)[0])) != _ROW_MAJOR:
            raise CheckpointError(f"{self.label}: {quoted(self.order.name)} is {found}; only rows (0) can be read")
        return _Int8Decoder(largest.reshape(-1), *self.spec.shape)


@final
class _Int8Decoder:
    def __init__(self, largest: Float32, rows: int, columns: int) -> None:
        self._largest, self._each_row = largest, Blocks(rows, columns, 1, columns)

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        np.copyto(out, raw.view(np.int8))
        scale(out, start, self._each_row, self._largest)
        np.multiply(out, STEP, out=out)  # a second rounding, as bitsandbytes has it


def eight_bits(folder: QuantizedFolder, weight: str) -> Coded:
    """The weight of this name, beside which SCB lies."""
    stem = weight.removesuffix("weight")
    largest = folder.checkpoint[f"{stem}SCB"]
    codes, order = folder.required(weight, largest.name), folder.checkpoint.get(f"{stem}weight_format")
    if codes.dtype != "I8" or len(codes.shape) != 2 or not codes.elements:
        raise folder.misfit(codes, "codes of int8 are I8 [rows, columns]")
    if largest.dtype != "F32" or largest.elements != codes.shape[0]:
        raise folder.misfit(largest, f"the magnitudes of {quoted(weight)} are F32 [{codes.shape[0]}]")
    if order is not None and (order.dtype != "U8" or order.elements != 1):
        raise folder.misfit(order, "the order of the codes is one U8")
    return Int8Weight(replace(codes, dtype="CODES8"), folder.dtype, folder.label, largest, order)
