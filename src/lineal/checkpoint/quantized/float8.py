"""float8 behind scales, in every layout in use, and the MXFP4 experts that one of them has in int8.

Sources: transformers' fine-grained fp8 and fbgemm fp8; the released weights of DeepSeek-V3 (`weight_scale_inv`, blocks
of 128 x 128) and of DeepSeek-V4 (`.scale` as F8_E8M0).
"""

import math
from typing import Any, Final, cast

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Coded, Quantized
from lineal.checkpoint.quantized.folder import QuantizedFolder, activation_scales
from lineal.checkpoint.quantized.scaled import Scaled, as_codes
from lineal.checkpoint.quantized.scaling import Blocks
from lineal.shown import quoted

FLOAT8: Final = ("F8_E4M3", "F8_E5M2")
SCALES: Final = ("F32", "BF16", "F16")
EXPONENTS: Final = ("F8_E8M0", "U8")

_MXFP4_GROUP: Final = 32


def read(folder: QuantizedFolder) -> Quantized:
    """Every weight that has scales; a float8 tensor without any is refused."""
    block = _block(folder)
    coded: dict[str, Coded] = {}
    beside = set[str]()
    for name, spec in folder.checkpoint.items():
        scale = _scale_of(folder, name)
        if scale is not None:
            coded[name] = _weight(folder, spec, scale, block)
            beside |= {scale.name, *activation_scales(name)}
        elif spec.dtype in FLOAT8:
            suffix = "_scale" if block is None else "_scale_inv"
            raise folder.fault(f"{quoted(name)} is {spec.dtype} and has no {quoted(name + suffix)}")
    return Quantized(coded, frozenset(beside))


def _scale_of(folder: QuantizedFolder, name: str) -> TensorSpec | None:
    """The scales of a tensor, under whichever of their names they are stored."""
    places = [f"{name}_scale_inv", f"{name}_scale"]
    if name.endswith(".weight"):
        module = name.removesuffix("weight")
        places += [f"{module}scale", f"{module}qscale_weight"]
    found = [folder.checkpoint[place] for place in places if place in folder.checkpoint]
    if len(found) > 1:
        both = " and ".join(quoted(one.name) for one in found)
        raise folder.fault(f"{quoted(name)} has scales twice: {both}")
    return found[0] if found else None


def _block(folder: QuantizedFolder) -> tuple[int, int] | None:
    """Rows and columns that share a scale by the config; None where the scales' shape says it."""
    block = folder.settings.get("weight_block_size")
    if block is None:
        return None
    sizes = cast(list[Any], block) if isinstance(block, list) else []
    if len(sizes) != 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise folder.fault(f"weight_block_size must be two sizes, got {quoted(block)}")
    return sizes[0], sizes[1]


def _weight(folder: QuantizedFolder, weight: TensorSpec, scale: TensorSpec, block: tuple[int, int] | None) -> Coded:
    if weight.dtype == "I8" and len(weight.shape) == 2:
        shape = (weight.shape[0], 2 * weight.shape[1])
        blocks = Blocks(*shape, 1, _MXFP4_GROUP)
        if scale.dtype in EXPONENTS and shape[1] % _MXFP4_GROUP == 0 and scale.shape == (shape[0], blocks.across):
            return Scaled(as_codes(weight, 4, shape), shape, folder.dtype, "E2M1", blocks, scale)
        raise folder.misfit(scale, f"{_told(weight)} as MXFP4 has an exponent for each {_MXFP4_GROUP} of its codes")
    if weight.dtype not in FLOAT8 or scale.dtype not in (*SCALES, *EXPONENTS):
        raise folder.misfit(scale, f"it makes no scales for {_told(weight)}")
    blocks = blocks_of(weight.shape, scale.shape, block)
    if blocks is None:
        raise folder.misfit(scale, f"it makes no scales for {_told(weight)}")
    return Scaled(as_codes(weight, 8, weight.shape), weight.shape, folder.dtype, weight.dtype, blocks, scale)


def blocks_of(shape: tuple[int, ...], scales: tuple[int, ...], block: tuple[int, int] | None) -> Blocks | None:
    """What shares a scale, by the shapes of both; None where they do not fit. block: rows and columns, where said.

    Where a config says the size of blocks, that counts: shapes alone would make something else of blocks cut off.
    """
    if len(shape) < 2 or not math.prod(shape):
        return None
    height, width = shape[-2:]
    matrices = shape[:-2]
    if block is not None:
        found = Blocks(height, width, *block)
        if scales == (*matrices, found.down, found.across):
            return found
    if math.prod(scales) == 1 and not matrices:
        return Blocks(height, width, height, width)
    if scales in ((*matrices, height), (*matrices, height, 1)) and block is None:
        return Blocks(height, width, 1, width)
    if matrices and scales in (matrices, (*matrices, 1), (*matrices, 1, 1)) and block is None:
        return Blocks(height, width, height, width)
    return None


def _told(weight: TensorSpec) -> str:
    return f"the weight {weight.dtype} {list(weight.shape)}"
