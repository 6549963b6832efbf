"""Tensors that are read whole beside codes, as numpy has them."""

from typing import Any

import numpy as np

from lineal.checkpoint.codes.dtypes import FLOATS, decode
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Beside, Raw
from lineal.errors import CheckpointError
from lineal.shown import quoted

_INTEGERS: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "F8_E8M0": np.uint8,
    "I8": np.int8,
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
}


def beside_values(raw: Raw, spec: TensorSpec) -> Beside:
    """The values of a whole tensor in its shape: floats as float32, integers as they are, F8_E8M0 as its bytes."""
    if spec.dtype in FLOATS:
        values = np.empty(spec.elements, np.float32)
        _ = decode(raw, spec.dtype, values)
        return values.reshape(spec.shape)
    if spec.dtype not in _INTEGERS:
        raise CheckpointError(f"{spec.path}: {quoted(spec.name)} is {spec.dtype}, which cannot be read")
    return raw.view(_INTEGERS[spec.dtype]).reshape(spec.shape)
