"""compressed-tensors' nvfp4- and mxfp4-pack-quantized forms: two E2M1 codes a byte, a scale of a byte a group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from lineal.checkpoint.codes.dtypes import encoded
from lineal.checkpoint.codes.packed.bits import pack_nibbles
from lineal.checkpoint.codes.packed.form import Codes, Float32, Int8, Part, Stored

_PACKED, _SCALE, _GLOBAL = "weight_packed", "weight_scale", "weight_global_scale"


@final
@dataclass(frozen=True)
class Nvfp4Pack:
    """Scales are float8, a group of 16, each divided by one float32 of the whole tensor."""

    name = "nvfp4-pack-quantized"
    run = 1

    def parts(self, rows: int, columns: int) -> tuple[Part, ...]:
        return (
            Part(_PACKED, "U8", (rows, columns // 2)),
            Part(_SCALE, "F8_E4M3", (rows, columns // 16)),
            Part(_GLOBAL, "F32", (1,)),
        )

    def pieces(self, codes: Codes, scales: Float32, zeros: Int8 | None) -> Stored:
        return {_PACKED: pack_nibbles(codes.view(np.uint8)), _SCALE: encoded(scales, "F8_E4M3")}

    def once(self, rows: int, columns: int, numbers: Mapping[str, Float32]) -> Stored:
        return {_GLOBAL: encoded(numbers[_GLOBAL], "F32")}


@final
@dataclass(frozen=True)
class Mxfp4Pack:
    """Scales are powers of two, a group of 32, of which the exponent is stored, 127 added (E8M0)."""

    name = "mxfp4-pack-quantized"
    run = 1

    def parts(self, rows: int, columns: int) -> tuple[Part, ...]:
        return (Part(_PACKED, "U8", (rows, columns // 2)), Part(_SCALE, "U8", (rows, columns // 32)))

    def pieces(self, codes: Codes, scales: Float32, zeros: Int8 | None) -> Stored:
        exponents = np.frexp(scales)[1] + 126  # frexp's fraction is in [0.5, 1)
        return {_PACKED: pack_nibbles(codes.view(np.uint8)), _SCALE: exponents.astype(np.uint8)}

    def once(self, rows: int, columns: int, numbers: Mapping[str, Float32]) -> Stored:
        return {}
