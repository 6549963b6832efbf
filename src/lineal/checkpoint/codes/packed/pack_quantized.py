"""compressed-tensors' pack-quantized form: whole numbers of 2 to 8 bits in int32 words, scales beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import final

import numpy as np

from lineal.checkpoint.codes.dtypes import encoded
from lineal.checkpoint.codes.packed.bits import pack_rows, words
from lineal.checkpoint.codes.packed.form import Codes, Float32, Int8, Part, Stored

_PACKED, _SCALE, _ZEROS, _SHAPE = "weight_packed", "weight_scale", "weight_zero_point", "weight_shape"


@final
@dataclass(frozen=True)
class PackQuantized:
    """group: columns that share a scale, None a whole row; of_tensor: one scale for all; symmetric: no zero points."""

    bits: int
    scale_dtype: str
    group: int | None = None
    of_tensor: bool = False
    symmetric: bool = True
    name = "pack-quantized"

    @property
    def run(self) -> int:
        """Zero points are packed down the rows."""
        return 1 if self.symmetric else 32 // gcd(32, self.bits)

    def parts(self, rows: int, columns: int) -> tuple[Part, ...]:
        groups = columns // self.group if self.group else 1
        scales = (1,) if self.of_tensor else (rows, groups)
        zeros = () if self.symmetric else (Part(_ZEROS, "I32", (words(rows, self.bits), groups)),)
        return (
            Part(_PACKED, "I32", (rows, words(columns, self.bits))),
            Part(_SCALE, self.scale_dtype, scales),
            *zeros,
            Part(_SHAPE, "I64", (2,)),
        )

    def pieces(self, codes: Codes, scales: Float32, zeros: Int8 | None) -> Stored:
        found: Stored = {_PACKED: pack_rows(codes.view(np.int8), self.bits)}
        if not self.of_tensor:
            found = {**found, _SCALE: encoded(scales, self.scale_dtype)}
        if zeros is not None and not self.symmetric:
            found = {**found, _ZEROS: np.ascontiguousarray(pack_rows(np.ascontiguousarray(zeros.T), self.bits).T)}
        return found

    def once(self, rows: int, columns: int, numbers: Mapping[str, Float32]) -> Stored:
        shape: Stored = {_SHAPE: np.array([rows, columns], "<i8")}
        return {**shape, _SCALE: encoded(numbers[_SCALE], self.scale_dtype)} if self.of_tensor else shape
