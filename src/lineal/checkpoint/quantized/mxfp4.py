"""MXFP4 as GPT-OSS stores its experts: nibbles in groups of 32 behind exponents, transposed once they are read.

Source: https://huggingface.co/openai/gpt-oss-20b (its model card and weights).
"""

from typing import Final

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.turn import transposed
from lineal.checkpoint.quantized.coded import Coded, Quantized
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.scaled import Scaled, as_codes
from lineal.checkpoint.quantized.scaling import Blocks

_BLOCKS, _SCALES = "_blocks", "_scales"
_BYTES: Final = 16
"""Of a group: 32 codes."""


def read(folder: QuantizedFolder) -> Quantized:
    """Every `X_blocks` with its `X_scales`, as the weight X."""
    coded: dict[str, Coded] = {}
    beside = set[str]()
    for name, blocks in folder.ending(_BLOCKS):
        coded[name] = _experts(folder, blocks, folder.required(f"{name}{_SCALES}", blocks.name))
        beside |= {blocks.name, f"{name}{_SCALES}"}
    return Quantized(coded, frozenset(beside))


def _experts(folder: QuantizedFolder, blocks: TensorSpec, scales: TensorSpec) -> Coded:
    """blocks: U8 [experts, rows, groups, 16]; scales: U8, one a group; published as [experts, columns, rows]."""
    if blocks.dtype != "U8" or len(blocks.shape) != 4 or blocks.shape[-1] != _BYTES or not blocks.byte_length:
        raise folder.misfit(blocks, f"the MXFP4 codes of experts are U8 [experts, rows, groups, {_BYTES}]")
    if scales.dtype != "U8" or scales.shape != blocks.shape[:3]:
        raise folder.misfit(scales, f"the MXFP4 scales of its codes are U8 {list(blocks.shape[:3])}")
    experts, rows, groups, _ = blocks.shape
    columns = 2 * _BYTES * groups
    spec = as_codes(blocks, 4, (experts, rows, columns))
    shared = Blocks(rows, columns, 1, 2 * _BYTES)
    turn = transposed(rows, columns)
    return Scaled(spec, (experts, columns, rows), folder.dtype, "E2M1", shared, scales, turn=turn)
