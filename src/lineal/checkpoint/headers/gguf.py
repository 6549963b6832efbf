"""The header of a GGUF file, parsed as if written by an enemy: every number is checked before it is used.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast, final

from gguf import GGMLQuantizationType, GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import (
    DEFAULT_ALIGNMENT,
    FORMATS,
    Metadata,
    Scalar,
    Value,
    alignment_of,
)
from lineal.checkpoint.headers.kept import KeptHeaders
from lineal.checkpoint.headers.safetensors import LARGEST_HEADER, TensorSpec
from lineal.checkpoint.headers.storage import byte_length, padded
from lineal.errors import CheckpointError
from lineal.shown import quoted

LARGEST_RANK = 4
"""ggml's own bound."""

_VERSIONS = (2, 3)
_FIRST_READ = 1 << 16
_LONGEST_NAME = (1 << 16) - 1
_LARGEST_DIMENSION = 1 << 53
_MOST_ITEMS = 1 << 23
"""Items in all arrays together; a vocabulary of 262,144 tokens has about a million."""
_SHORTEST_PAIR, _SHORTEST_TENSOR = 14, 25

_COUNT = struct.Struct("<Q")
_NUMBER = struct.Struct("<I")
_KINDS = {int(kind): kind for kind in GGUFValueType}
_TYPES = {int(kind): kind.name for kind in GGMLQuantizationType}


_KEPT: KeptHeaders[TensorSpec, Metadata] = KeptHeaders()


def read_gguf_header(path: Path) -> tuple[Mapping[str, TensorSpec], Metadata]:
    """The tensors of a GGUF, in the file's order of bytes and with shapes as numpy has them, and its key-value pairs.

    A type that nothing here can decode is read all the same: its size is known.
    """
    return _KEPT.read(path, lambda file: _read(path, file))


def _read(path: Path, file: BinaryIO) -> tuple[Mapping[str, TensorSpec], Metadata]:
    header = _Header(path, file)
    tensors, pairs = header.begin()
    metadata = dict(_unique(path, [header.pair() for _ in range(pairs)]))
    alignment = _alignment(path, metadata)
    described = _unique(path, [header.tensor() for _ in range(tensors)])
    specs = _laid_out(path, described, header, alignment)
    return {spec.name: spec for spec in specs}, metadata


def _laid_out(
    path: Path, described: list[tuple[str, tuple[int, tuple[int, ...], int]]], header: "_Header", alignment: int
) -> list[TensorSpec]:
    """The tensors where they lie: at the alignment that the file states, or at the one that files have by default.

    llama.cpp's quantizer hands the key on and writes by the default: only one of the two can tile such a file.
    """
    refused: CheckpointError | None = None
    for multiple in dict.fromkeys((alignment, DEFAULT_ALIGNMENT)):
        start = padded(header.position, multiple)
        specs = [_spec(path, name, kind, shape, start + offset) for name, (kind, shape, offset) in described]
        specs.sort(key=lambda spec: (spec.offset, spec.byte_length))
        try:
            _check_layout(path, specs, header.position, multiple, header.size)
        except CheckpointError as error:
            refused = refused or error
        else:
            return specs
    raise cast(CheckpointError, refused)


@final
class _Header:
    """The bytes at the beginning of a file, read only as far as they are needed."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._held = bytearray()
        self._items = 0
        self.size = os.fstat(file.fileno()).st_size
        self.position = 0

    def begin(self) -> tuple[int, int]:
        """The counts of tensors and of pairs, behind the magic and the version."""
        magic = bytes(self._take(4))
        if magic != b"GGUF":
            raise CheckpointError(f"{self._path}: not a GGUF: it begins with {quoted(magic)}")
        version = self._number()
        if version & 0xFFFF == 0:
            raise CheckpointError(f"{self._path}: a big-endian GGUF; only little-endian ones are read")
        if version not in _VERSIONS:
            raise CheckpointError(f"{self._path}: GGUF version {version}; 2 and 3 are read")
        tensors, pairs = self._count(), self._count()
        if tensors * _SHORTEST_TENSOR + pairs * _SHORTEST_PAIR > self.size - self.position:
            raise CheckpointError(f"{self._path}: {tensors} tensors and {pairs} keys in a file of {self.size} bytes")
        return tensors, pairs

    def pair(self) -> tuple[str, Value]:
        key, kind = self._name(), self._kind()
        if kind is not GGUFValueType.ARRAY:
            return key, Value(kind, self._items_of(kind, 1)[0])
        items, count = self._kind(), self._count()
        if items is GGUFValueType.ARRAY:
            raise CheckpointError(f"{self._path}: {quoted(key)} is an array of arrays, which nothing reads")
        self._items += count
        if self._items > _MOST_ITEMS:
            raise CheckpointError(f"{self._path}: {quoted(key)}: more than {_MOST_ITEMS} items in arrays")
        return key, Value(kind, self._items_of(items, count), items)

    def tensor(self) -> tuple[str, tuple[int, tuple[int, ...], int]]:
        """A tensor's name, type, shape in numpy's order and offset in the data."""
        name, rank = self._name(), self._number()
        if rank > LARGEST_RANK:
            raise CheckpointError(
                f"{self._path}: {quoted(name)} has {rank} dimensions; at most {LARGEST_RANK} are allowed"
            )
        dimensions = struct.unpack(f"<{rank}Q", self._take(8 * rank))
        return name, (self._number(), dimensions[::-1], self._count())

    def _items_of(self, kind: GGUFValueType, count: int) -> tuple[Scalar, ...]:
        if kind is GGUFValueType.STRING:
            return self._strings(count)
        form = FORMATS[kind.name]
        raw = self._take(count * struct.calcsize(form))
        if kind is GGUFValueType.BOOL and raw.translate(None, b"\0\1"):
            raise CheckpointError(f"{self._path}: a truth value at byte {self.position} is neither 0 nor 1")
        return struct.unpack(f"<{count}{form}", raw)

    def _strings(self, count: int) -> tuple[str, ...]:
        """One loop without calls: vocabularies have hundreds of thousands of strings."""
        held, position, found = self._held, self.position, list[str]()
        for _ in range(count):
            if position + 8 > len(held):
                self._hold(position + 8)
            end = position + 8 + _COUNT.unpack_from(held, position)[0]
            if end > len(held):
                self._hold(end)
            found.append(held[position + 8 : end].decode(errors="surrogateescape"))
            position = end
        self.position = position
        return tuple(found)

    def _name(self) -> str:
        length = self._count()
        if not 0 < length <= _LONGEST_NAME:
            raise CheckpointError(f"{self._path}: a name of {length} bytes; 1 to {_LONGEST_NAME} are allowed")
        raw = self._take(length)
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            raise CheckpointError(f"{self._path}: the name {quoted(bytes(raw[:80]))} is not UTF-8") from None
        if not name.isprintable():
            raise CheckpointError(f"{self._path}: the name {quoted(name[:80])} has characters that cannot be shown")
        return name

    def _kind(self) -> GGUFValueType:
        number = self._number()
        if number not in _KINDS:
            raise CheckpointError(f"{self._path}: a value of unknown kind {number} before byte {self.position}")
        return _KINDS[number]

    def _number(self) -> int:
        return _NUMBER.unpack(self._take(4))[0]

    def _count(self) -> int:
        return _COUNT.unpack(self._take(8))[0]

    def _take(self, count: int) -> bytearray:
        end = self.position + count
        if end > len(self._held):
            self._hold(end)
        taken = self._held[self.position : end]
        self.position = end
        return taken

    def _hold(self, end: int) -> None:
        """Have the bytes up to `end` in memory; each read doubles what is there."""
        if end > self.size:
            raise CheckpointError(f"{self._path}: truncated: the header goes on to byte {end} of {self.size}")
        if end > LARGEST_HEADER:
            raise CheckpointError(f"{self._path}: a header of more than {LARGEST_HEADER} bytes")
        self._held += self._file.read(max(end - len(self._held), len(self._held), _FIRST_READ))
        if end > len(self._held):
            raise CheckpointError(f"{self._path}: ends at byte {len(self._held)}; it changed while it was read")


def _unique(path: Path, named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    seen = set[str]()
    for name, _ in named:
        if name in seen:
            raise CheckpointError(f"{path}: the header names {quoted(name)} twice")
        seen.add(name)
    return named


def _alignment(path: Path, metadata: Metadata) -> int:
    try:
        return alignment_of(metadata)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _spec(path: Path, name: str, kind: int, shape: tuple[int, ...], offset: int) -> TensorSpec:
    if kind not in _TYPES:
        raise CheckpointError(f"{path}: {quoted(name)}: unknown ggml type {kind}")
    if any(size > _LARGEST_DIMENSION for size in shape):
        raise CheckpointError(f"{path}: {quoted(name)}: not a shape: {list(shape)}")
    try:
        _ = byte_length(_TYPES[kind], shape[-1] if shape else 1)  # rows are whole blocks
        length = byte_length(_TYPES[kind], math.prod(shape))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {quoted(name)} {list(shape)}: {error}") from None
    return TensorSpec(name, _TYPES[kind], shape, path, offset, length)


def _check_layout(path: Path, specs: list[TensorSpec], header_end: int, alignment: int, size: int) -> None:
    """Tensors and the padding to the alignment must tile the file; only the padding after the last may be missing."""
    before, end = "the header", header_end
    for spec in specs:
        if spec.offset != padded(end, alignment):
            what = "overlaps" if spec.offset < end else "is not at the next multiple of the alignment after"
            raise CheckpointError(f"{path}: {quoted(spec.name)} {what} {before}")
        before, end = repr(spec.name), spec.offset + spec.byte_length
    if not end <= size <= padded(end, alignment):
        what = "truncated" if end > size else "bytes left over"
        raise CheckpointError(f"{path}: {what}: the header describes {end} bytes, the file has {size}")
