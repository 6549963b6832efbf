"""The block types that are known here, and what encodes and decodes them."""

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.ggml import simple
from lineal.checkpoint.headers.storage import BLOCKS

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Encoding:
    """How values become blocks, beside their type.

    importance: one weight a column of the rows that are encoded, which then are whole rows; None: all count alike;
    fused: as a build of llama.cpp rounds that fuses multiplications with additions.
    """

    importance: Float32 | None = None
    fused: bool = False


PLAIN = Encoding()


def encode_blocks(values: Float32, dtype: str, raw: Raw, encoding: Encoding = PLAIN) -> None:
    """Write values as whole blocks of `dtype`."""
    each = BLOCKS[dtype][0]
    CODECS[dtype].encode(values.reshape(-1, each), values.view(np.uint32).reshape(-1, each), _blocks(raw, dtype))


def decode_blocks(raw: Raw, dtype: str, out: Float32) -> None:
    """Write the values of whole blocks of `dtype` into `out`."""
    CODECS[dtype].decode(_blocks(raw, dtype), out.reshape(-1, BLOCKS[dtype][0]))


def _blocks(raw: Raw, dtype: str) -> Raw:
    return raw.reshape(-1, BLOCKS[dtype][1])


@final
@dataclass(frozen=True)
class Codec:
    """Kernels over whole blocks. encode: None for what is only read; steps: of the scale, to the largest magnitude."""

    decode: Any
    encode: Any = None
    steps: int = 0


CODECS = {
    "Q8_0": Codec(simple.decode_q8_0, simple.encode_q8_0, steps=127),
    "Q4_0": Codec(simple.decode_q4_0, simple.encode_q4_0, steps=8),
    "Q4_1": Codec(simple.decode_q4_1),
}
"""The block types that are known here; every other is gguf-py's to decode. Their sizes: `QuantizationType`."""
BLOCK_DECODERS = frozenset(CODECS)
BLOCK_CODECS = frozenset(dtype for dtype, codec in CODECS.items() if codec.encode)
"""Those that can be computed with."""
