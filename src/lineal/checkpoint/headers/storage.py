"""How many bytes values take in each stored type: safetensors' dtypes, the block types of GGUF, and packed codes."""

import math

from lineal.checkpoint.headers.safetensors import BITS
from lineal.derivation.quantization import QuantizationType
from lineal.errors import CheckpointError

BLOCKS = {kind.name: (kind.block_weights, kind.block_bytes) for kind in QuantizationType if kind.is_blocks}
"""GGUF's block types: how many values share a scale, and the bytes of such a block (ggml-common.h)."""

CODES = {f"CODES{bits}": (8 // math.gcd(8, bits), bits // math.gcd(8, bits)) for bits in range(1, 9)}
"""Codes of so many bits one after the other, whatever they stand for: how many fill whole bytes, and those bytes."""


def values_together(dtype: str) -> int:
    """How many values have bytes of their own: 1 but in blocks and in codes of less than a byte."""
    return BLOCKS[dtype][0] if dtype in BLOCKS else CODES[dtype][0] if dtype in CODES else 1


def byte_length(dtype: str, elements: int) -> int:
    """The bytes that so many values take; of a block type only whole blocks exist, of codes whole bytes."""
    values, size = BLOCKS.get(dtype) or CODES.get(dtype) or (1, BITS[dtype] // 8)
    if elements % values:
        raise CheckpointError(f"{elements} values are not whole blocks of {dtype}, which hold {values}")
    return elements // values * size


def padded(length: int, alignment: int) -> int:
    """The length up to the next multiple of the alignment."""
    return -(-length // alignment) * alignment
