"""How many bytes values take in each stored type: safetensors' dtypes, and the block types of GGUF."""

from lineal.checkpoint.headers.safetensors import BITS
from lineal.derivation.quantization import QuantizationType
from lineal.errors import CheckpointError

BLOCKS = {kind.name: (kind.block_weights, kind.block_bytes) for kind in QuantizationType if kind.is_blocks}
"""GGUF's block types: how many values share a scale, and the bytes of such a block (ggml-common.h)."""


def byte_length(dtype: str, elements: int) -> int:
    """The bytes that so many values take; of a block type only whole blocks exist."""
    values, size = BLOCKS[dtype] if dtype in BLOCKS else (1, BITS[dtype] // 8)
    if elements % values:
        raise CheckpointError(f"{elements} values are not whole blocks of {dtype}, which hold {values}")
    return elements // values * size


def padded(length: int, alignment: int) -> int:
    """The length up to the next multiple of the alignment."""
    return -(-length // alignment) * alignment
