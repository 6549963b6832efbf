"""The header of a safetensors file, parsed as if written by an enemy: every number is checked before it is used.

Source: https://github.com/huggingface/safetensors (format section of the README).
"""

import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, final

from lineal.errors import CheckpointError
from lineal.shown import quoted

LARGEST_HEADER = 100_000_000
"""The bound that the safetensors library sets, in bytes."""

BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
}

_PREFIX = 8
_LARGEST_DIMENSION = 2**53
_LARGEST_RANK = 64


@final
@dataclass(frozen=True)
class TensorSpec:
    """Where a tensor lies: file, first byte in the file, and what its bytes mean."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int
    byte_length: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> tuple[dict[str, TensorSpec], dict[str, str]]:
    """The tensors of one file, in the file's order of bytes, and its metadata."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        prefix = file.read(_PREFIX)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < _PREFIX or length > size - _PREFIX:
            raise CheckpointError(f"{path}: truncated: a header of {length} bytes in a file of {size}")
        if length > LARGEST_HEADER:
            raise CheckpointError(f"{path}: a header of {length} bytes; at most {LARGEST_HEADER} are allowed")
        header = _parse(path, file.read(length))
    metadata = _metadata(path, header.pop("__metadata__", {}))
    data_start = _PREFIX + length
    specs = [_spec(path, name, entry, data_start) for name, entry in header.items()]
    specs.sort(key=lambda spec: (spec.offset, spec.byte_length))
    _check_layout(path, specs, data_start, size)
    return {spec.name: spec for spec in specs}, metadata


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            raise CheckpointError(f"{path}: the header names {quoted(twice)} twice")
        return found

    try:
        header = json.loads(raw.decode(), object_pairs_hook=unique)
        if not isinstance(header, dict):
            raise CheckpointError(f"{path}: the header is not a JSON object")
        names = cast(dict[str, Any], header)
        _ = "".join(names).encode()  # JSON can escape half a surrogate pair, which no name may hold
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the header is not JSON: {error}") from None
    return names


def _metadata(path: Path, found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in cast(dict[str, Any], found).values()):
        raise CheckpointError(f"{path}: __metadata__ must map strings to strings")
    return cast(dict[str, str], found)


def _spec(path: Path, name: str, entry: Any, data_start: int) -> TensorSpec:
    fault = _entry_fault(entry)
    if fault:
        raise CheckpointError(f"{path}: {quoted(name)}: {fault}")
    dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    needed = math.prod(shape) * BITS[dtype] // 8
    if end - begin != needed:
        raise CheckpointError(
            f"{path}: {quoted(name)}: {dtype} {list(shape)} is {needed} bytes, the header gives {end - begin}"
        )
    return TensorSpec(name, dtype, shape, path, data_start + begin, needed)


def _entry_fault(entry: Any) -> str | None:
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        return "dtype, shape and data_offsets are needed"
    dtype, shape, offsets = (cast(dict[str, Any], entry)[key] for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in BITS:
        return f"unknown dtype {quoted(dtype)} (known: {', '.join(BITS)})"
    if not _counts(shape) or len(shape) > _LARGEST_RANK:
        return f"not a shape: {str(shape)[:80]}"
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        return f"not a range of bytes: {str(offsets)[:80]}"
    return None


def _counts(values: Any) -> bool:
    """Whether these are whole numbers that cannot overflow anything."""
    return isinstance(values, list) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= _LARGEST_DIMENSION for v in cast(list[Any], values)
    )


def _check_layout(path: Path, specs: list[TensorSpec], data_start: int, size: int) -> None:
    """Tensors must tile the file: nothing overlapping, hidden between them, missing or left over."""
    if specs and specs[0].offset != data_start:
        raise CheckpointError(f"{path}: a gap before {quoted(specs[0].name)}")
    for before, after in pairwise(specs):
        end = before.offset + before.byte_length
        if after.offset != end:
            what = "overlaps" if after.offset < end else "leaves a gap after"
            raise CheckpointError(f"{path}: {quoted(after.name)} {what} {quoted(before.name)}")
    end = specs[-1].offset + specs[-1].byte_length if specs else data_start
    if end != size:
        what = "truncated" if end > size else "bytes left over"
        raise CheckpointError(f"{path}: {what}: the header describes {end} bytes, the file has {size}")
