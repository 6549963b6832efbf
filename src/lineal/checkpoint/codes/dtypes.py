"""Stored bytes <-> float32: the kernels of the methods never see a dtype."""

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.ggml import (
    BLOCK_CODECS,
    BLOCK_DECODERS,
    CODECS,
    PLAIN,
    Encoding,
    decode_blocks,
    encode_blocks,
)
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.errors import CheckpointError
from lineal.kernels.kernel import kernel
from lineal.kernels.types import Uint16s, Uint32s

Float32: TypeAlias = NDArray[np.float32]
Raw: TypeAlias = NDArray[np.uint8]

_NUMPY: dict[str, Any] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
}
FLOATS = frozenset({*_NUMPY, "BF16"})
"""The dtypes that arithmetic is done on; tensors of any other are copied and must agree. Block types stand apart."""

_INFINITY = np.uint32(0x7F800000)
"""Its bits; those of a NaN are larger."""

_TOO_LARGE = {
    "F64": _INFINITY,
    "F32": _INFINITY,
    "BF16": np.uint32(0x7F7F8000),
    "F16": np.float32(65520).view(np.uint32),
    "F8_E4M3": np.nextafter(np.float32(464), np.float32(500)).view(np.uint32),
    "F8_E5M2": np.float32(61440).view(np.uint32),
    **{name: np.float32(65520 * CODECS[name].steps).view(np.uint32) for name in BLOCK_CODECS},
}
"""Bits of the smallest magnitude that is not finite once it is rounded to the dtype (ties go to even).

A block type's is the smallest whose block may get an infinite scale, which is a float16: exactly that where the scale
is a value over the steps, a bound where it is searched for. llama.cpp would write it, and every value of the block
would come back infinite or NaN.
"""


def decode(raw: Raw, dtype: str, out: Float32) -> bool:
    """Write the values of stored bytes, of a block type whole blocks, into `out`; F64 is rounded to nearest.

    Returns whether all are known to be finite, which costs nothing where a kernel sees every value anyway.
    """
    if dtype == "BF16":
        return bool(_widen_bf16(raw.view("<u2"), out.view(np.uint32)) < _TOO_LARGE["F32"])
    if dtype in BLOCK_DECODERS:
        decode_blocks(raw, dtype, out)
    elif dtype in BLOCKS:
        _dequantize(raw, dtype, out)
    elif dtype == "F32":
        out[:] = raw.view("<f4")
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found by first_nonfinite
            np.copyto(out, raw.view(_known(dtype)), casting="same_kind" if dtype == "F64" else "safe")
    return False


def encode(values: Float32, dtype: str, raw: Raw, encoding: Encoding = PLAIN) -> bool:
    """Write values as stored bytes, rounded to nearest, ties to even; block types as ggml rounds.

    encoding: of a block type, how its blocks are found.

    Returns whether all are known to be finite as stored.
    """
    if dtype == "BF16":
        largest = _narrow_bf16(values.view(np.uint32), raw.view("<u2"))
        if largest > _INFINITY:
            _keep_nans(values.view(np.uint32), raw.view("<u2"))
        return bool(largest < _TOO_LARGE["BF16"])
    if dtype in BLOCK_CODECS:
        encode_blocks(values, dtype, raw, encoding)
    elif dtype == "F32":
        raw.view("<f4")[:] = values
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found by first_nonfinite
            np.copyto(raw.view(_known(dtype)), values, casting="unsafe")
    return False


def encoded(values: Float32, dtype: str) -> Raw:
    """The bytes of values of any shape, one after the other."""
    raw = np.empty(byte_length(dtype, values.size), np.uint8)
    _ = encode(np.ascontiguousarray(values).reshape(-1), dtype, raw)
    return raw


def first_nonfinite(values: Float32, dtype: str) -> int:
    """The index of the first value that is NaN or Inf, or would be as `dtype`; -1 if there is none."""
    bits = values.view(np.uint32)
    limit = _TOO_LARGE[dtype]
    return _first_from(bits, limit) if _largest_magnitude(bits) >= limit else -1


def _dequantize(raw: Raw, dtype: str, out: Float32) -> None:
    """By gguf's own decoders, which know every other block type."""
    from gguf import GGMLQuantizationType, dequantize  # few models are stored in one

    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(out, dequantize(raw, GGMLQuantizationType[dtype]))


def _known(dtype: str) -> Any:
    if dtype not in _NUMPY:
        raise CheckpointError(f"no arithmetic on {dtype} (known: {', '.join(sorted(FLOATS | BLOCK_CODECS))})")
    return _NUMPY[dtype]


@kernel
def _widen_bf16(stored: Uint16s, bits: Uint32s) -> np.uint32:
    """Returns the largest magnitude, in bits."""
    largest = np.uint32(0)
    for i in range(stored.size):
        wide = np.uint32(stored[i]) << np.uint32(16)
        largest = max(largest, np.uint32(wide & np.uint32(0x7FFFFFFF)))
        bits[i] = wide
    return largest


@kernel
def _narrow_bf16(bits: Uint32s, stored: Uint16s) -> np.uint32:
    """Returns the largest magnitude there was, in bits. A NaN may come out as anything: _keep_nans mends it."""
    largest = np.uint32(0)
    for i in range(bits.size):
        b = bits[i]
        largest = max(largest, np.uint32(b & np.uint32(0x7FFFFFFF)))
        odd = (b >> np.uint32(16)) & np.uint32(1)
        stored[i] = np.uint16(np.uint32(b + np.uint32(0x7FFF) + odd) >> np.uint32(16))
    return largest


@kernel
def _keep_nans(bits: Uint32s, stored: Uint16s) -> None:
    for i in range(bits.size):
        b = bits[i]
        if (b & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000):
            stored[i] = np.uint16((b >> np.uint32(16)) | np.uint32(0x40))


@kernel
def _largest_magnitude(bits: Uint32s) -> np.uint32:
    largest = np.uint32(0)
    for i in range(bits.size):
        largest = max(largest, bits[i] & np.uint32(0x7FFFFFFF))
    return largest


@kernel
def _first_from(bits: Uint32s, limit: np.uint32) -> int:
    for i in range(bits.size):
        if (bits[i] & np.uint32(0x7FFFFFFF)) >= limit:
            return i
    return -1
