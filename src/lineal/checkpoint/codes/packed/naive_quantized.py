"""compressed-tensors' int-quantized and float-quantized forms: a byte a weight under its own name, and scales."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from lineal.checkpoint.codes.dtypes import encoded
from lineal.checkpoint.codes.packed.form import Codes, Float32, Int8, Part, Stored

_CODES, _SCALE, _INPUT = "weight", "weight_scale", "input_scale"


@final
@dataclass(frozen=True)
class NaiveQuantized:
    """dtype: of the codes, I8 or F8_E4M3; block: rows and columns that share a scale, None a whole row; of_tensor: one
    scale for all; static: a scale for what the layer multiplies stands beside it."""

    dtype: Literal["I8", "F8_E4M3"]
    scale_dtype: str
    block: int | None = None
    of_tensor: bool = False
    static: bool = False

    @property
    def name(self) -> str:
        return "int-quantized" if self.dtype == "I8" else "float-quantized"

    @property
    def run(self) -> int:
        return self.block or 1

    def parts(self, rows: int, columns: int) -> tuple[Part, ...]:
        blocks = (-(-rows // self.block), -(-columns // self.block)) if self.block else (rows, 1)
        beside = (Part(_INPUT, self.scale_dtype, (1,)),) if self.static else ()
        scales = Part(_SCALE, self.scale_dtype, (1,) if self.of_tensor else blocks)
        return (Part(_CODES, self.dtype, (rows, columns)), scales, *beside)

    def pieces(self, codes: Codes, scales: Float32, zeros: Int8 | None) -> Stored:
        return {_CODES: codes} if self.of_tensor else {_CODES: codes, _SCALE: encoded(scales, self.scale_dtype)}

    def once(self, rows: int, columns: int, numbers: Mapping[str, Float32]) -> Stored:
        names = [*([_SCALE] if self.of_tensor else []), *([_INPUT] if self.static else [])]
        return {name: encoded(numbers[name], self.scale_dtype) for name in names}
