"""How many bytes values take in each stored type: safetensors' dtypes, and the block types of GGUF."""

from lineal.checkpoint.headers.safetensors import BITS
from lineal.errors import CheckpointError

BLOCKS = {
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q8_1": (32, 36),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "Q8_K": (256, 292),
    "IQ1_S": (256, 50),
    "IQ1_M": (256, 56),
    "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74),
    "IQ2_S": (256, 82),
    "IQ3_XXS": (256, 98),
    "IQ3_S": (256, 110),
    "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
    "TQ1_0": (256, 54),
    "TQ2_0": (256, 66),
    "MXFP4": (32, 17),
    "NVFP4": (64, 36),
    "Q1_0": (128, 18),
}
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
