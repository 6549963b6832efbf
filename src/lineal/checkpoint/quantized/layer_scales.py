"""The scales and zero points of a layer of compressed-tensors, checked against what its scheme says."""

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.config_groups import BY_SHAPE, Scheme
from lineal.checkpoint.quantized.float8 import blocks_of
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.quantized.scaled import Zeros
from lineal.checkpoint.quantized.scaling import Blocks
from lineal.shown import quoted

_ZEROS = ("I8", "I32", "I16", "I64")
"""What zero points are stored as where each is a number of its own."""


def blocks_of_layer(folder: QuantizedFolder, scheme: Scheme, shape: tuple[int, int], scale: TensorSpec) -> Blocks:
    """What shares a scale by the scheme, where the scales have the shape that follows."""
    height, width = shape
    if scheme.strategy == BY_SHAPE:
        found = blocks_of(shape, scale.shape, None)
        if found is None:
            raise folder.misfit(scale, f"it makes no scales for a weight {list(shape)}")
        return found
    match scheme.strategy:
        case "tensor":
            rows, columns, wanted = height, width, ((1,), (), (1, 1))
        case "channel":
            rows, columns, wanted = 1, width, ((height, 1), (height,))
        case "block" if scheme.block is not None:
            rows, columns = scheme.block
            wanted = ((-(-height // rows), -(-width // columns)),)
        case _:
            rows, columns = 1, scheme.group or width
            wanted = ((height, width // columns),)
            if width % columns:
                raise folder.misfit(scale, f"rows of {width} weights do not divide into groups of {columns}")
    if scale.shape not in wanted:
        told = " or ".join(str(list(one)) for one in wanted)
        raise folder.misfit(scale, f"scales of a weight {list(shape)} by {scheme.strategy} are {told}")
    return Blocks(height, width, rows, columns)


def zeros_of_layer(folder: QuantizedFolder, scheme: Scheme, layer: str, scale: TensorSpec) -> Zeros | None:
    """Zero points in the scales' shape, each a number of its own; None where there are none."""
    found = folder.checkpoint.get(f"{layer}weight_zero_point")
    if found is None:
        if scheme.symmetric:
            return None
        raise folder.fault(f"{quoted(f'{layer}weight')} is not symmetric and has no {quoted('weight_zero_point')}")
    if found.dtype not in _ZEROS or found.elements != scale.elements:
        raise folder.misfit(found, f"zero points are {' or '.join(_ZEROS)} {list(scale.shape)}, as the scales")
    return Zeros(found, 0)
