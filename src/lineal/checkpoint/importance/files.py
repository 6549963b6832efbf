"""Importance matrices on disk: llama.cpp's GGUF form, read and written, and the .dat form before it, read."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.gguf import read_gguf_header
from lineal.checkpoint.headers.gguf_metadata import Metadata
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.errors import CheckpointError
from lineal.shown import quoted

SUMS, COUNTS = ".in_sum2", ".counts"

_MAGIC = b"GGUF"
_MOST_ENTRIES, _LONGEST_NAME, _LONGEST_DATASET = 1 << 16, 1 << 10, 1 << 16
_INT = struct.Struct("<i")
_LARGEST_COUNT = float(1 << 53)


def read_importance(path: Path) -> ImportanceMatrix:
    """The importance matrix in a file of either form; CheckpointError for what is none."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                return _of_gguf(path, file)
            file.seek(0)
            return _Dat(path, file).read()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None


def _of_gguf(path: Path, file: BinaryIO) -> ImportanceMatrix:
    specs, metadata = read_gguf_header(path)
    entries: dict[str, Importance] = {}
    for name in sorted({spec.removesuffix(SUMS).removesuffix(COUNTS) for spec in specs}):
        sums, counts = specs.get(name + SUMS), specs.get(name + COUNTS)
        if sums is None or counts is None:
            raise CheckpointError(
                f"{path}: not an importance matrix: {quoted(name)} is needed both with {SUMS} and with {COUNTS}"
            )
        entries[name] = _entry(path, name, _values(path, file, sums), _values(path, file, counts))
    if not entries:
        raise CheckpointError(f"{path}: not an importance matrix: it holds no tensor")
    datasets = metadata.get("imatrix.datasets")
    texts = datasets.content if datasets is not None and datasets.items is not None else ()
    return ImportanceMatrix(
        entries,
        tuple(text for text in cast(tuple[object, ...], texts) if isinstance(text, str)),
        _number(metadata, "imatrix.chunk_count"),
        _number(metadata, "imatrix.chunk_size"),
        file=path.name,
    )


def _number(metadata: Metadata, key: str) -> int:
    found = metadata.get(key)
    return found.content if found is not None and type(found.content) is int else 0


def _values(path: Path, file: BinaryIO, spec: TensorSpec) -> NDArray[np.float32]:
    if spec.dtype != "F32":
        raise CheckpointError(f"{path}: {quoted(spec.name)} is {spec.dtype}; an importance matrix is F32")
    file.seek(spec.offset)
    return np.frombuffer(file.read(spec.byte_length), "<f4").astype(np.float32)


def _entry(path: Path, name: str, sums: NDArray[np.float32], counts: NDArray[np.float32]) -> Importance:
    if not np.isfinite(counts).all() or (np.abs(counts) > _LARGEST_COUNT).any():
        raise CheckpointError(f"{path}: {quoted(name)} has counts that are no whole numbers")
    if not counts.size or sums.size % counts.size:
        raise CheckpointError(f"{path}: {quoted(name)} has {sums.size} sums and {counts.size} counts")
    halves_away = np.floor(counts.astype(np.float64) + 0.5)  # counts below 0 are refused
    return _checked(path, name, sums.reshape(counts.size, -1), halves_away.astype(np.int64))


def _checked(path: Path, name: str, sums: NDArray[np.float32], counts: NDArray[np.int64]) -> Importance:
    try:
        return Importance(sums, counts)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {quoted(name)}: {error}") from None


@final
class _Dat:
    """The older form: a count of entries, then names with counts of calls and sums; behind them chunks and dataset."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._left = path.stat().st_size

    def read(self) -> ImportanceMatrix:
        count = self._int("entries", 1, _MOST_ENTRIES)
        entries = dict(self._entry() for _ in range(count))
        if len(entries) < count:
            raise CheckpointError(f"{self._path}: an importance matrix names a tensor twice")
        chunks = self._int("chunks", -1, (1 << 31) - 1) if self._left else 0
        dataset = self._text(self._int("letters of a dataset", 0, _LONGEST_DATASET)) if self._left else ""
        return ImportanceMatrix(entries, (dataset,) if dataset else (), max(chunks, 0), file=self._path.name)

    def _entry(self) -> tuple[str, Importance]:
        name = self._text(self._int("letters of a name", 1, _LONGEST_NAME))
        calls = self._int(f"calls of {quoted(name)}", -(1 << 31), (1 << 31) - 1)
        values = self._int(f"values of {quoted(name)}", 1, (1 << 31) - 1)
        sums = np.frombuffer(self._take(4 * values), "<f4").astype(np.float32).reshape(1, -1)
        return name, _checked(self._path, name, sums, np.array([max(calls, 1)], np.int64))

    def _int(self, what: str, least: int, most: int) -> int:
        found = _INT.unpack(self._take(_INT.size))[0]
        if not least <= found <= most:
            raise CheckpointError(f"{self._path}: not an importance matrix: it says {found} {what}")
        return found

    def _text(self, length: int) -> str:
        raw = self._take(length)
        text = raw.decode(errors="replace")
        if not text.isprintable():
            raise CheckpointError(f"{self._path}: not an importance matrix: {quoted(raw[:80])} is no name")
        return text

    def _take(self, length: int) -> bytes:
        if length > self._left:
            raise CheckpointError(f"{self._path}: not an importance matrix, or cut off: {length} bytes are missing")
        self._left -= length
        return self._file.read(length)


def write_importance(path: Path, matrix: ImportanceMatrix) -> None:
    """Write llama.cpp's GGUF form, tensors by name; datasets as bare names, since paths are nobody else's business."""
    if not matrix.entries:
        raise CheckpointError(f"{path}: an importance matrix of no tensor")
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        for part in _written(matrix):
            file.write(part)
    partial.replace(path)


_STRING, _UINT32, _ARRAY, _F32, _ALIGNMENT = 8, 4, 9, 0, 32


def _written(matrix: ImportanceMatrix) -> Iterator[bytes]:
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, entry in sorted(matrix.entries.items(), key=lambda item: item[0].encode()):
        arrays[name + SUMS] = entry.sums
        arrays[name + COUNTS] = entry.counts.astype(np.float32)[:, None]
    header = b"".join(_header(matrix, arrays))
    yield header + bytes(-len(header) % _ALIGNMENT)
    for values in arrays.values():
        raw = values.astype("<f4").tobytes()
        yield raw + bytes(-len(raw) % _ALIGNMENT)


def _header(matrix: ImportanceMatrix, arrays: Mapping[str, NDArray[np.float32]]) -> Iterator[bytes]:
    texts = [Path(text).name for text in matrix.datasets]
    yield _MAGIC + struct.pack("<IQQ", 3, len(arrays), 4)
    yield _text("general.type") + struct.pack("<I", _STRING) + _text("imatrix")
    yield _text("imatrix.datasets") + struct.pack("<IIQ", _ARRAY, _STRING, len(texts)) + b"".join(map(_text, texts))
    yield _text("imatrix.chunk_count") + struct.pack("<II", _UINT32, matrix.chunks)
    yield _text("imatrix.chunk_size") + struct.pack("<II", _UINT32, matrix.chunk_size)
    offset = 0
    for name, values in arrays.items():
        yield _text(name) + struct.pack("<I2QIQ", 2, *reversed(values.shape), _F32, offset)
        offset += -(-values.nbytes // _ALIGNMENT) * _ALIGNMENT


def _text(text: str) -> bytes:
    encoded = text.encode(errors="surrogateescape")
    return struct.pack("<Q", len(encoded)) + encoded
