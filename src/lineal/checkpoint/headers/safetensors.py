"""The header of a safetensors file, parsed as if written by an enemy: every number is checked before it is used.

Source: https://github.com/huggingface/safetensors (format section of the README).
"""

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast, final

from lineal.checkpoint.headers.kept import KeptHeaders
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
_DESCRIBED = {"dtype", "shape", "data_offsets"}
_LARGEST_DIMENSION = 2**53
_LARGEST_RANK = 64


@final
@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Where a tensor lies: file, first byte in the file, and what its bytes mean."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int
    byte_length: int

    def __hash__(self) -> int:
        """Of what tells tensors apart: specs are keys wherever tensors are many."""
        return hash((self.name, self.path))

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def at(self, path: Path) -> "TensorSpec":
        """The tensor, in a file that is now called so."""
        return TensorSpec(self.name, self.dtype, self.shape, path, self.offset, self.byte_length)


_KEPT: KeptHeaders[TensorSpec, Mapping[str, str]] = KeptHeaders()


def read_header(path: Path) -> tuple[Mapping[str, TensorSpec], Mapping[str, str]]:
    """The tensors of one file, in the file's order of bytes, and its metadata."""
    return _KEPT.read(path, lambda file: _read(path, file))


def _read(path: Path, file: BinaryIO) -> tuple[Mapping[str, TensorSpec], Mapping[str, str]]:
    size = os.fstat(file.fileno()).st_size
    prefix = file.read(_PREFIX)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < _PREFIX or length > size - _PREFIX:
        raise CheckpointError(f"{path}: truncated: a header of {length} bytes in a file of {size}")
    if length > LARGEST_HEADER:
        raise CheckpointError(f"{path}: a header of {length} bytes; at most {LARGEST_HEADER} are allowed")
    header = _parse(path, file, length)
    metadata = _metadata(path, header.pop("__metadata__", {}))
    specs: list[TensorSpec] = []
    while header:  # what was parsed is let go as it is judged: both together would be the most that is held
        name, entry = header.popitem()
        specs.append(_spec(path, name, entry, _PREFIX + length))
    specs.reverse()  # into the header's order, which decides between empty tensors
    specs.sort(key=lambda spec: (spec.offset, spec.byte_length))
    _check_layout(path, specs, _PREFIX + length, size)
    return {spec.name: spec for spec in specs}, metadata


class _Entry(NamedTuple):
    """What a header says of one tensor, in the little room that many of them need; begin, end: of its bytes."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def _parse(path: Path, file: BinaryIO, length: int) -> dict[str, Any]:
    """The header; what describes a tensor as it should is an _Entry."""
    shapes: dict[tuple[int, ...], tuple[int, ...]] = {}

    def unique(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            raise CheckpointError(f"{path}: the header names {quoted(twice)} twice")
        if found.keys() != _DESCRIBED or _entry_fault(found) is not None:
            return found
        shape = tuple(found["shape"])
        return _Entry(sys.intern(found["dtype"]), shapes.setdefault(shape, shape), *found["data_offsets"])

    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=unique)
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
    if not isinstance(entry, _Entry):
        fault = _entry_fault(entry)
        if fault:
            raise CheckpointError(f"{path}: {quoted(name)}: {fault}")
        entry = _Entry(entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])
    needed = math.prod(entry.shape) * BITS[entry.dtype] // 8
    if entry.end - entry.begin != needed:
        described = f"{entry.dtype} {list(entry.shape)}"
        raise CheckpointError(
            f"{path}: {quoted(name)}: {described} is {needed} bytes, the header gives {entry.end - entry.begin}"
        )
    return TensorSpec(name, entry.dtype, entry.shape, path, data_start + entry.begin, needed)


def _entry_fault(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "dtype, shape and data_offsets are needed"
    described = cast(dict[str, Any], entry)
    if not described.keys() >= _DESCRIBED:
        return "dtype, shape and data_offsets are needed"
    dtype, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        return f"unknown dtype {quoted(dtype)} (known: {', '.join(BITS)})"
    if not _counts(shape) or len(shape) > _LARGEST_RANK:
        return f"not a shape: {str(shape)[:80]}"
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        return f"not a range of bytes: {str(offsets)[:80]}"
    return None


def _counts(values: Any) -> bool:
    """Whether these are whole numbers that cannot overflow anything."""
    if type(values) is not list:
        return False
    for value in cast(list[Any], values):
        if type(value) is not int or not 0 <= value <= _LARGEST_DIMENSION:  # a bool is no count
            return False
    return True


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
