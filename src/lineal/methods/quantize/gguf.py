"""GGUF: every matrix in one of ggml's types, rounded to nearest; vectors stay float32."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

from lineal.derivation.quantization import QuantizationType
from lineal.errors import MethodError
from lineal.methods.method import Reproducibility, nearest
from lineal.methods.streaming import Block, Emit, Site, StreamingMethod
from lineal.shown import quoted

SCHEMES = ("f32", "f16", "bf16", "q8_0", "q4_0")


def _lowered(scheme: object) -> object:
    """llama.cpp writes Q8_0; a recipe is the same either way."""
    return scheme.lower() if isinstance(scheme, str) else scheme


@dataclass(frozen=True, kw_only=True)
class GgufQuantization(StreamingMethod):
    """Write a model as one GGUF file, as llama.cpp reads it.

    scheme: the type of the matrices: f32, f16, bf16, q8_0 or q4_0. Vectors (norms, biases) are always F32, as in
        llama.cpp's converter. With q4_0 the matrix that makes the logits, be it the output head or the embedding that
        it is tied to, is Q8_0, because it suffers most; llama-quantize takes Q6_K there.
    """

    kind: ClassVar = "quantize"
    name: ClassVar = "gguf"
    paper: ClassVar = "https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"
    reproducibility: ClassVar = Reproducibility.EXACT

    scheme: Annotated[
        str, BeforeValidator(_lowered), WithJsonSchema({"type": "string", "enum": list(SCHEMES)}, mode="validation")
    ]

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            hint = nearest(self.scheme, SCHEMES)
            raise MethodError(f"gguf: scheme must be one of {', '.join(SCHEMES)}, got {quoted(self.scheme)} ({hint})")

    def passes(self, site: Site) -> int:
        return 1

    def stored_as(self, shape: tuple[int, ...], *, makes_logits: bool) -> str:
        """The ggml type of a tensor of this shape."""
        if len(shape) < 2:
            return "F32"
        return "Q8_0" if makes_logits and self.scheme == "q4_0" else self.scheme.upper()

    def unit(self, site: Site) -> int:
        """The values that share a scale in the widest of the types that are written."""
        written = {self.stored_as((1, 1), makes_logits=logits) for logits in (True, False)}
        return max(QuantizationType.named(name.lower()).block_weights for name in written)

    def check_models(self, count: int) -> None:
        if count != 1:
            raise MethodError(f"gguf: one model is quantized at a time, got {count}")

    def sweeps(self, site: Site) -> Iterator[Emit]:
        """The values pass as they are: what rounds them is the type that they are stored in."""
        yield Emit(_copy)


def _copy(block: Block) -> None:
    np.copyto(block.out, block.models[0])
