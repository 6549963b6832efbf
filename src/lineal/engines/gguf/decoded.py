"""Tensors of a GGUF whole, as values."""

from typing import TypeAlias

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]


def decoded(checkpoint: Checkpoint, spec: TensorSpec) -> Float32:
    """By gguf's own decoders, in float32: they know every type."""
    raw = np.frombuffer(checkpoint.read(spec.name), np.uint8)
    rows = raw.reshape(*spec.shape[:-1], byte_length(spec.dtype, spec.shape[-1]))
    try:
        return dequantize(rows, GGMLQuantizationType[spec.dtype]).reshape(spec.shape)
    except NotImplementedError:
        raise CheckpointError(
            f"{checkpoint.path}: {quoted(spec.name)} is {spec.dtype}, which cannot be decoded"
        ) from None
