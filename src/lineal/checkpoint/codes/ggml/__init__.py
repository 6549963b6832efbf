"""ggml's block types, bit for bit as llama.cpp and gguf-py write and read them.

Source: ggml-common.h and the reference quantizers of ggml-quants.c in llama.cpp.
"""

from lineal.checkpoint.codes.ggml.codecs import (
    BLOCK_CODECS,
    BLOCK_DECODERS,
    CODECS,
    Codec,
    decode_blocks,
    encode_blocks,
)
from lineal.checkpoint.codes.ggml.encoding import PLAIN, Encoding

__all__ = [
    "BLOCK_CODECS",
    "BLOCK_DECODERS",
    "CODECS",
    "PLAIN",
    "Codec",
    "Encoding",
    "decode_blocks",
    "encode_blocks",
]
