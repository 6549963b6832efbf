"""Layers of compressed-tensors whose codes are packed: integers of 1 to 8 bits in words, small floats in bytes."""

from typing import Final, NamedTuple

import numpy as np

from lineal.checkpoint.codes.packed.values import INTEGERS
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.config_groups import Scheme
from lineal.checkpoint.quantized.float8 import EXPONENTS, SCALES
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.layer_scales import blocks_of_layer, zeros_of_layer
from lineal.checkpoint.quantized.scaled import Scaled, Zeros, as_codes, is_whole
from lineal.checkpoint.quantized.scaling import Blocks
from lineal.shown import quoted

_WORD: Final = 32
_SHAPES: Final = ("I64", "I32")


class _SmallFloat(NamedTuple):
    """What a format packs. scales: the types that they are stored as; divided: whether one number divides them all."""

    kind: str
    bits: int
    scales: tuple[str, ...]
    divided: bool


_SMALL_FLOATS: Final = {
    "nvfp4-pack-quantized": _SmallFloat("E2M1", 4, ("F8_E4M3",), divided=True),
    "mxfp4-pack-quantized": _SmallFloat("E2M1", 4, EXPONENTS, divided=False),
    "mxfp6-pack-quantized": _SmallFloat("E2M3", 6, EXPONENTS, divided=False),
}


def packed_floats(folder: QuantizedFolder, layer: str, scheme: Scheme) -> Scaled:
    """A layer's `weight_packed`, U8 [rows, columns * bits / 8], with the scales of its groups."""
    packed = folder.required(f"{layer}weight_packed", f"{layer}weight")
    scale = folder.required(f"{layer}weight_scale", packed.name)
    kind, bits, scales, divided = _SMALL_FLOATS[scheme.form]
    if len(packed.shape) != 2 or packed.dtype != "U8" or not packed.elements or scheme.group is None:
        raise folder.misfit(packed, f"codes of {quoted(scheme.form)} are U8 [rows, bytes], in groups of columns")
    if scale.dtype not in scales or (scheme.kind, scheme.bits) != ("float", bits):
        raise folder.misfit(scale, f"scales of {quoted(scheme.form)} are {' or '.join(scales)}, of {bits}-bit floats")
    columns = packed.shape[1] * 8 // bits
    shape = (packed.shape[0], columns)
    spec = as_codes(packed, bits, shape)
    if not is_whole(bits, shape, packed):
        raise folder.misfit(packed, f"rows of {packed.shape[1]} bytes are no codes of {bits} bits")
    divisor = folder.required(f"{layer}weight_global_scale", packed.name) if divided else None
    if divisor is not None and (divisor.dtype not in SCALES or divisor.elements != 1):
        raise folder.misfit(divisor, "one number that divides the scales is needed")
    blocks = blocks_of_layer(folder, scheme, shape, scale)
    zeros = zeros_of_layer(folder, scheme, layer, scale)
    return Scaled(spec, shape, folder.dtype, kind, blocks, scale, zeros, divisor)


def packed_integers(folder: QuantizedFolder, layer: str, scheme: Scheme) -> Scaled:
    """A layer's `weight_packed`, I32 [rows, ceil(columns * bits / 32)], each row in words of its own."""
    packed = folder.required(f"{layer}weight_packed", f"{layer}weight")
    scale = folder.required(f"{layer}weight_scale", packed.name)
    shown = folder.required(f"{layer}weight_shape", packed.name)
    if len(packed.shape) != 2 or packed.dtype != "I32" or not packed.elements or scheme.kind != "int":
        raise folder.misfit(packed, "packed integers are I32 [rows, words]")
    if scale.dtype not in SCALES:
        raise folder.misfit(scale, f"scales of packed integers are {' or '.join(SCALES)}")
    if shown.dtype not in _SHAPES or shown.shape != (2,):
        raise folder.misfit(shown, "the shape of a weight is I64 [2]")
    shape = (packed.shape[0], _columns(folder, scheme, packed, scale, shown))
    if -(-shape[1] * scheme.bits // _WORD) != packed.shape[1]:
        raise folder.misfit(packed, f"rows of {shape[1]} codes of {scheme.bits} bits take other words")
    blocks = blocks_of_layer(folder, scheme, shape, scale)
    return Scaled(
        as_codes(packed, scheme.bits, shape),
        shape,
        folder.dtype,
        INTEGERS,
        blocks,
        scale,
        zeros=_packed_zeros(folder, scheme, layer, scale, blocks),
        groups=_groups(folder, scheme, layer, blocks),
        shown=shown,
        packed=None if is_whole(scheme.bits, shape, packed) else packed,
    )


def _columns(folder: QuantizedFolder, scheme: Scheme, packed: TensorSpec, scale: TensorSpec, shown: TensorSpec) -> int:
    """How long a row is. Groups say it; else words do but for their last bits, of which only the stored shape tells."""
    if scheme.group is not None and len(scale.shape) == 2:
        return scale.shape[1] * scheme.group
    most = packed.shape[1] * _WORD // scheme.bits
    if folder.checkpoint.headers_only:
        return most
    stored = np.frombuffer(folder.checkpoint.read(shown.name), "<i8" if shown.dtype == "I64" else "<i4")
    found = int(stored[1])
    return found if 0 < found <= most else most


def _packed_zeros(
    folder: QuantizedFolder, scheme: Scheme, layer: str, scale: TensorSpec, blocks: Blocks
) -> Zeros | None:
    """Zero points of rows or groups are packed down the rows; one of a whole tensor stands as it is."""
    if scheme.symmetric or scheme.strategy not in ("group", "channel"):
        return zeros_of_layer(folder, scheme, layer, scale)
    found = folder.required(f"{layer}weight_zero_point", f"{layer}weight_packed")
    wanted = (-(-blocks.height * scheme.bits // _WORD), blocks.across)
    if found.dtype != "I32" or found.shape != wanted:
        raise folder.misfit(found, f"packed zero points of {scheme.bits} bits are I32 {list(wanted)}")
    return Zeros(found, scheme.bits)


def _groups(folder: QuantizedFolder, scheme: Scheme, layer: str, blocks: Blocks) -> TensorSpec | None:
    """The group of each column, where columns were quantized in the order of their activations."""
    found = folder.checkpoint.get(f"{layer}weight_g_idx")
    if found is None:
        if scheme.ordered:
            raise folder.fault(
                f"{quoted(f'{layer}weight_packed')} has its columns in another order (actorder), and no weight_g_idx "
                "says in which"
            )
        return None
    if found.dtype != "I32" or found.shape != (blocks.width,) or scheme.strategy != "group":
        raise folder.misfit(found, f"the groups of columns are I32 [{blocks.width}], of a weight in groups")
    return found
