"""bitsandbytes: four-bit codes that QLoRA trains on, and the eight-bit codes of LLM.int8."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeAlias, final

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

from lineal.errors import MethodError
from lineal.methods.method import Reproducibility, nearest
from lineal.methods.quantize.packed_schemes import HEAD, Patterns
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod
from lineal.shown import quoted

BITSANDBYTES_SCHEMES: Final = ("nf4", "fp4", "int8")
_BLOCK: Final = 64
_BLOCKS: Final = tuple(1 << bits for bits in range(5, 13))


def _scheme(written: object) -> object:
    return written.lower() if isinstance(written, str) else written


_Scheme: TypeAlias = Annotated[
    str,
    BeforeValidator(_scheme),
    WithJsonSchema({"type": "string", "enum": list(BITSANDBYTES_SCHEMES)}, mode="validation"),
]


@final
@dataclass(frozen=True, kw_only=True)
class BitsAndBytes(StreamingMethod):
    """Write the linear layers of a model as bitsandbytes' codes, as transformers and PEFT load them for QLoRA.

    A folder whose codes are, byte for byte, those that bitsandbytes makes of the same weights on a CPU.

    scheme: nf4: sixteen quantiles of a normal distribution; fp4: four-bit floats; int8: LLM.int8's whole numbers, a
        scale a row.
    block_size: values that share a scale, a power of two from 32 to 4096; bitsandbytes itself has 64. Of nf4 and fp4.
    double_quantization: whether scales are eight-bit codes themselves, as QLoRA has it: 4.13 bits a weight instead of
        4.5. Of nf4 and fp4.
    ignore: layers that stay as they are: names, or re: and a regular expression that begins as a name does. The output
        head, where nothing is said; embeddings, routers and the experts of a mixture always do.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "bitsandbytes"
    paper: ClassVar = "https://arxiv.org/abs/2305.14314"
    reproducibility: ClassVar = Reproducibility.EXACT

    scheme: _Scheme
    block_size: int = _BLOCK
    double_quantization: bool = True
    ignore: Patterns = HEAD

    def __post_init__(self) -> None:
        if self.scheme not in BITSANDBYTES_SCHEMES:
            hint = nearest(self.scheme, BITSANDBYTES_SCHEMES)
            raise MethodError(f"bitsandbytes: unknown scheme {quoted(self.scheme)} ({hint})")
        if self.block_size not in _BLOCKS:
            one_of = ", ".join(map(str, _BLOCKS))
            raise MethodError(f"bitsandbytes: block_size is one of {one_of}, got {self.block_size}")
        if self.scheme == "int8" and (self.block_size != _BLOCK or not self.double_quantization):
            raise MethodError("bitsandbytes: int8 has one scale a row; leave block_size and double_quantization out")

    def passes(self, site: Site) -> int:
        return 1

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"bitsandbytes: one model is quantized at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        """The values pass as they are: what rounds them is what they are stored as."""
        yield Emit(_copy)


def _copy(block: Block) -> None:
    np.copyto(block.out, block.models[0])
