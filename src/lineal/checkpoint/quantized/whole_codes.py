"""Layers of compressed-tensors whose codes are a byte each: int8, float8, and float8 behind exponents (MXFP8)."""

from lineal.checkpoint.codes.packed.values import SIGNED
from lineal.checkpoint.quantized.config_groups import Scheme
from lineal.checkpoint.quantized.float8 import EXPONENTS, FLOAT8, SCALES
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.layer_scales import blocks_of_layer, zeros_of_layer
from lineal.checkpoint.quantized.scaled import Scaled, as_codes
from lineal.shown import quoted


def whole_codes(folder: QuantizedFolder, layer: str, scheme: Scheme) -> Scaled:
    """A layer's `weight`, I8 or float8 [rows, columns], with its `weight_scale`."""
    weight = folder.required(f"{layer}weight", layer)
    scale = folder.required(f"{layer}weight_scale", weight.name)
    codes = ("I8",) if scheme.kind == "int" else FLOAT8
    scales = EXPONENTS if scheme.form == "mxfp8-quantized" else SCALES
    told = f"weight {weight.dtype} {list(weight.shape)}"
    if len(weight.shape) != 2 or not weight.elements or weight.dtype not in codes or scale.dtype not in scales:
        wanted = f"{' or '.join(codes)} with scales of {' or '.join(scales)}"
        raise folder.misfit(scale, f"it makes no scales for the {told}, which {quoted(scheme.form)} has as {wanted}")
    blocks = blocks_of_layer(folder, scheme, (weight.shape[0], weight.shape[1]), scale)
    kind = SIGNED if weight.dtype == "I8" else weight.dtype
    zeros = zeros_of_layer(folder, scheme, layer, scale)
    return Scaled(as_codes(weight, 8, weight.shape), weight.shape, folder.dtype, kind, blocks, scale, zeros)
