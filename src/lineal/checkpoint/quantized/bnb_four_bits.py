"""nf4 and fp4 as bitsandbytes saves them: the codes under the weight's own name, its quantization state beside it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, final

import numpy as np

from lineal.checkpoint.codes import double_quantization
from lineal.checkpoint.codes.double_quantization import Nested
from lineal.checkpoint.codes.nf4 import BLOCK_SIZES, LEVELS, decode
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Beside, Coded, Decoder, Float32, PublishedOrder, Raw
from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.errors import CheckpointError
from lineal.shown import quoted

_LARGEST_STATE = 1 << 16
"""Bytes of a quantization state, which is JSON of a few numbers."""

_NESTED_LEVELS = 256


@final
@dataclass(frozen=True)
class State:
    """What the JSON of a quantization state says.

    nested: scales that share a scale of their own, or None; offset: what was taken from the scales before.
    """

    kind: str
    block: int
    shape: tuple[int, ...]
    nested: int | None = None
    offset: float = 0.0


@final
@dataclass(frozen=True)
class FourBitWeight(PublishedOrder):
    """A weight of two codes a byte, over the flattened matrix; a scale (`absmax`) for each block of values.

    scales: absmax F32, or U8 where they are codes themselves: then levels and scales of these lie beside. table: the
    values of the codes, which must be the type's own; stated: the bytes of the state, which must not have changed.
    """

    label: str
    scales: TensorSpec
    table: TensorSpec
    stated: TensorSpec
    nested: tuple[TensorSpec, ...]
    state: State

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        return (self.scales, self.table, self.stated, *self.nested)

    @property
    def working_bytes(self) -> int:
        return 9 * self.scales.elements

    def decoder(self, beside: Sequence[Beside]) -> Decoder:
        scales, table, stated, *nested = beside
        if not np.allclose(table, LEVELS[self.state.kind], rtol=1e-6, atol=0):
            raise CheckpointError(
                f"{self.label}: {quoted(self.table.name)} holds other values than {self.state.kind}'s"
            )
        if _parsed(self.label, self.stated, stated.tobytes(), self.state.kind) != self.state:
            raise CheckpointError(f"{self.stated.path}: {quoted(self.stated.name)} changed while it was read")
        absmax = scales.reshape(-1)
        if self.state.nested is not None:
            codes = Nested(absmax, nested[0].reshape(-1), np.float32(self.state.offset))
            absmax = double_quantization.decode(codes, nested[1].reshape(-1), self.state.nested)
        return _FourBitDecoder(absmax, self.state)


@final
class _FourBitDecoder:
    def __init__(self, absmax: Float32, state: State) -> None:
        self._absmax, self._state = absmax, state

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        decode(raw, self._absmax, self._state.kind, self._state.block, start, out)


def four_bits(folder: QuantizedFolder, weight: str, kind: str) -> Coded:
    """The weight of this name. kind: nf4 or fp4, as the name of its state says."""
    codes = folder.required(weight, f"{weight}.quant_state.bitsandbytes__{kind}")
    stated = folder.checkpoint[f"{weight}.quant_state.bitsandbytes__{kind}"]
    if stated.dtype != "U8" or len(stated.shape) != 1 or stated.byte_length > _LARGEST_STATE:
        raise folder.misfit(stated, f"a quantization state is U8, of at most {_LARGEST_STATE} bytes")
    state = _parsed(folder.label, stated, bytes(folder.checkpoint.read(stated.name)), kind)
    count = math.prod(state.shape)
    if count % 2 or codes.byte_length != count // 2:
        raise folder.misfit(codes, f"its state says {list(state.shape)}, which is {count / 2:g} bytes of codes")
    blocks = -(-count // state.block)
    scales = folder.required(f"{weight}.absmax", weight)
    table = folder.required(f"{weight}.quant_map", weight)
    if table.dtype != "F32" or table.elements != len(LEVELS[kind]):
        raise folder.misfit(table, f"the values of {kind} are F32 [{len(LEVELS[kind])}]")
    if scales.elements != blocks or scales.dtype != ("F32" if state.nested is None else "U8"):
        wanted = "F32" if state.nested is None else "U8, since they are codes themselves"
        raise folder.misfit(scales, f"the scales of {blocks} blocks are {wanted}")
    nested = () if state.nested is None else _nested(folder, weight, -(-blocks // state.nested))
    spec = replace(codes, dtype="CODES4", shape=state.shape)
    return FourBitWeight(spec, folder.dtype, folder.label, scales, table, stated, nested, state)


def _nested(folder: QuantizedFolder, weight: str, blocks: int) -> tuple[TensorSpec, ...]:
    """The scales of the scales, and the values of their codes."""
    sizes = {"nested_absmax": blocks, "nested_quant_map": _NESTED_LEVELS}
    found = tuple(folder.required(f"{weight}.{part}", weight) for part in sizes)
    for spec, size in zip(found, sizes.values(), strict=True):
        if spec.dtype != "F32" or spec.elements != size:
            raise folder.misfit(spec, f"its state says F32 [{size}]")
    return found


def _parsed(label: str, spec: TensorSpec, content: bytes, kind: str) -> State:
    """The JSON of a state, each of whose numbers is looked at."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CheckpointError(f"{label}: {quoted(spec.name)} is not a JSON object")
    stated = cast(dict[str, Any], found)
    is_nested = any(key.startswith("nested_") for key in stated)
    shape, offset = stated.get("shape"), stated.get("nested_offset", 0.0)
    faults = {
        "quant_type": kind not in LEVELS or stated.get("quant_type") != kind,
        "blocksize": stated.get("blocksize") not in BLOCK_SIZES,
        "shape": not _is_shape(shape),
        "nested_blocksize": is_nested and not _is_count(stated.get("nested_blocksize")),
        "nested_offset": type(offset) not in (int, float) or not math.isfinite(np.float32(offset)),
    }
    for key in (key for key, is_wrong in faults.items() if is_wrong):
        raise CheckpointError(f"{label}: {quoted(spec.name)} says {key} {quoted(str(stated.get(key))[:80])}")
    nested = stated["nested_blocksize"] if is_nested else None
    return State(kind, stated["blocksize"], tuple(cast(list[int], shape)), nested, float(offset))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 1 << 48


def _is_shape(value: object) -> bool:
    """Of one dimension or more, and of no more values than a tensor can have."""
    sizes = cast(list[object], value) if isinstance(value, list) else []
    counts = [cast(int, size) for size in sizes if _is_count(size)]
    return 0 < len(counts) == len(sizes) <= 8 and math.prod(counts) < 1 << 48
