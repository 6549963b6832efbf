"""The block types that are known here, and what encodes and decodes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.ggml import iq4, q2_k, q3_k, q4_k, q6_k, simple, simple_decoders
from lineal.checkpoint.codes.ggml.encoding import PLAIN, Encoding
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.errors import CheckpointError

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]


_AT_ONCE = 1 << 16
"""Values that are searched together: what is known of them fits the processor's second cache."""


def encode_blocks(values: Float32, dtype: str, raw: Raw, encoding: Encoding = PLAIN) -> None:
    """Write values as whole blocks of `dtype`.

    Raises: CheckpointError: with an importance, values that are not whole rows of it in whole blocks, or a scale that
    it makes too large for a float16, though the values are under the type's limit.
    """
    codec, each = CODECS[dtype], BLOCKS[dtype][0]
    importance, columns = encoding.importance, each
    if importance is not None:
        importance, columns = np.require(importance, np.float32, ["C", "W"]), importance.size
        if columns == 0 or columns % each or values.size % columns:
            raise CheckpointError(f"{values.size} values are not rows of {columns} in whole blocks of {dtype}")
    at_once = values.size if codec.is_plain and importance is None else max(1, _AT_ONCE // columns) * columns
    rows, blocks = values.reshape(-1, each), _blocks(raw, dtype)
    for first in range(0, values.size, max(1, at_once)):
        some = slice(first // each, (first + at_once) // each)
        codec.encode(rows[some], blocks[some], Encoding(importance, encoding.fused))


def decode_blocks(raw: Raw, dtype: str, out: Float32) -> None:
    """Write the values of whole blocks of `dtype` into `out`."""
    CODECS[dtype].decode(_blocks(raw, dtype), out.reshape(-1, BLOCKS[dtype][0]))


def _blocks(raw: Raw, dtype: str) -> Raw:
    return raw.reshape(-1, BLOCKS[dtype][1])


@final
@dataclass(frozen=True)
class Codec:
    """Both work on whole blocks, a row each.

    encode: values, to blocks; steps: a block whose magnitudes are all under this times the largest float16 has finite
    scales; is_plain: without an importance nothing is searched for.
    """

    decode: Callable[[Any, Any], None]
    encode: Callable[[Any, Any, Encoding], None]
    steps: int
    is_plain: bool = False


CODECS = {
    "Q8_0": Codec(simple_decoders.decode_q8_0, simple.encode_q8_0, steps=127, is_plain=True),
    "Q4_0": Codec(simple_decoders.decode_q4_0, simple.encode_q4_0, steps=8, is_plain=True),
    "Q4_1": Codec(simple_decoders.decode_q4_1, simple.encode_q4_1, steps=1, is_plain=True),
    "Q5_0": Codec(simple_decoders.decode_q5_0, simple.encode_q5_0, steps=16, is_plain=True),
    "Q5_1": Codec(simple_decoders.decode_q5_1, simple.encode_q5_1, steps=1, is_plain=True),
    "Q2_K": Codec(q2_k.decode, q2_k.encode, steps=2),
    "Q3_K": Codec(q3_k.decode, q3_k.encode, steps=32),
    "Q4_K": Codec(q4_k.decode_q4, q4_k.encode_q4, steps=8),
    "Q5_K": Codec(q4_k.decode_q5, q4_k.encode_q5, steps=8),
    "Q6_K": Codec(q6_k.decode, q6_k.encode, steps=2654),
    "IQ4_NL": Codec(iq4.decode_nl, iq4.encode_nl, steps=17),
    "IQ4_XS": Codec(iq4.decode_xs, iq4.encode_xs, steps=544),
}
"""The block types that are known here; every other is gguf-py's to decode. Their sizes: `QuantizationType`."""

BLOCK_CODECS = BLOCK_DECODERS = frozenset(CODECS)
"""Those that can be computed with."""
