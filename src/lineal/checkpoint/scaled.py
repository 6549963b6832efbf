"""float8 weights that are codes: each is its value once multiplied by the scale of its block, row or tensor.

Source: transformers' fine-grained fp8 (DeepSeek-V3, Qwen3-FP8) and compressed-tensors' float-quantized format.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.stated_dtype import stated_dtype
from lineal.errors import CheckpointError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Float32s
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]

_CACHE = re.compile(r".+\.(?:[kvq]_scale|[kv]_proj\.output_scale|[kvq]_zero_point)")
_FLOAT8 = ("F8_E4M3", "F8_E5M2")
_STORED = ("F32", "BF16", "F16")
_DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


@final
@dataclass(frozen=True)
class Scales:
    """The scales of one weight: one for each block of so many rows and columns. dtype: of the weight once scaled."""

    spec: TensorSpec
    rows: int
    columns: int
    dtype: str


def scales_of(checkpoint: Checkpoint, model: str) -> tuple[dict[str, Scales], set[str]]:
    """Scales by the weight's name, and all names that are no weights; other quantized formats are refused."""
    config = checkpoint.config
    quantization = cast(Mapping[str, Any], config.get("quantization_config") or {})
    if quantization.get("transform_config"):
        raise CheckpointError(
            f"{model}: {checkpoint.folder} holds rotated weights (quantization_config.transform_config), which mean "
            "nothing without their rotations; name the model it was made from"
        )
    suffix, block = _form(quantization, checkpoint, model)
    dtype = _DTYPES.get(str(stated_dtype(config)), "BF16")
    found: dict[str, Scales] = {}
    for name, spec in checkpoint.items():
        scale = checkpoint.get(f"{name}{suffix}") if name.endswith(".weight") else None
        if scale is not None:
            found[name] = _scales(checkpoint, spec, scale, block, dtype)
        elif spec.dtype in _FLOAT8:
            raise CheckpointError(f"{model}: {quoted(name)} is {spec.dtype} and has no {quoted(name + suffix)}")
    beside = {f"{name}{suffix}" for name in found} | {f"{name.removesuffix('weight')}input_scale" for name in found}
    return found, beside | cache_scales(checkpoint)


def cache_scales(checkpoint: Checkpoint) -> set[str]:
    """Scales of the key and value cache: no weights, and without meaning once the quantization_config is gone."""
    return {name for name in checkpoint if _CACHE.fullmatch(name)}


def _form(quantization: Mapping[str, Any], checkpoint: Checkpoint, model: str) -> tuple[str, tuple[int, int] | None]:
    """What a scale's name ends in, and the block of weights that shares one; None where the scales' shape says it."""
    method, block = quantization.get("quant_method"), quantization.get("weight_block_size")
    if method == "fp8" and isinstance(block, list) and len(cast(list[Any], block)) == 2:
        if not all(type(size) is int and size > 0 for size in cast(list[Any], block)):
            raise CheckpointError(f"{model}: weight_block_size must be two sizes, got {quoted(block)}")
        return "_scale_inv", (block[0], block[1])
    if method == "compressed-tensors" and quantization.get("format") == "float-quantized":
        return "_scale", None
    raise CheckpointError(f"{model}: {checkpoint.folder} holds quantized weights, which are codes; dequantize it first")


def _scales(
    checkpoint: Checkpoint, weight: TensorSpec, scale: TensorSpec, block: tuple[int, int] | None, dtype: str
) -> Scales:
    fits = len(weight.shape) == 2 and weight.dtype in _FLOAT8 and scale.dtype in _STORED
    out, width = weight.shape if fits else (0, 0)
    if fits and block is None:
        block = (out, width) if scale.elements == 1 else (1, width) if scale.shape in ((out,), (out, 1)) else None
        fits = block is not None
    rows, columns = block or (1, 1)
    if not fits or scale.elements != -(-out // rows) * -(-width // columns):
        shapes = f"{scale.dtype} {list(scale.shape)} for the weight {weight.dtype} {list(weight.shape)}"
        raise CheckpointError(f"{checkpoint.folder}: {quoted(scale.name)}: {shapes} makes no scales")
    return Scales(scale, rows, columns, dtype)


def multiply(values: Float32, start: int, width: int, scales: Scales, numbers: Float32) -> None:
    """Multiply the elements from `start` of a weight with rows of `width`, in place; numbers: of all scales."""
    _multiply(values, start, width, scales.rows, scales.columns, numbers)


@kernel
def _multiply(values: Float32s, start: int, width: int, rows: int, columns: int, numbers: Float32s) -> None:
    across = -(-width // columns)
    done = 0
    while done < values.size:
        row, column = (start + done) // width, (start + done) % width
        count = min(columns - column % columns, width - column, values.size - done)
        scale = numbers[(row // rows) * across + column // columns]
        for i in range(count):
            values[done + i] *= scale
        done += count
