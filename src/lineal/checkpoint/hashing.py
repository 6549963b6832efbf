"""The content hash of a model: every tensor, package entry and file, in one pass over its bytes."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from blake3 import blake3

from lineal.checkpoint.gguf_metadata import gguf_package
from lineal.checkpoint.identity import Leaf, Manifest, manifest_of
from lineal.checkpoint.memory import HashMemory
from lineal.checkpoint.package import content_hash, folder_files, licence_hash, package_paths
from lineal.checkpoint.reader import Checkpoint, open_checkpoint, read_exactly
from lineal.checkpoint.safetensors_header import TensorSpec

LINEAL_JSON = "lineal.json"
WINDOW_BYTES = 1 << 20

BytesRead = Callable[[int], None]
"""Called with a count of bytes each time so many have been read."""


@final
@dataclass(frozen=True)
class FileHash:
    """A file's size and hash: of all its bytes, or of a weight file's outside its tensors, which have their own."""

    size: int
    digest: bytes


@final
@dataclass(frozen=True)
class FolderHashes:
    """What a model contains, by content; files and leaves together miss no byte."""

    manifest: Manifest
    files: Mapping[str, FileHash]
    licence: bytes | None


def hash_folder(
    place: Path, *, memory: HashMemory | None = None, threads: int | None = None, bytes_read: BytesRead | None = None
) -> FolderHashes:
    """Hash a model folder or a GGUF; files that `memory` knows to be unchanged are not read."""
    return hash_checkpoint(open_checkpoint(place), memory=memory, threads=threads, bytes_read=bytes_read)


def hash_checkpoint(
    checkpoint: Checkpoint,
    *,
    memory: HashMemory | None = None,
    threads: int | None = None,
    bytes_read: BytesRead | None = None,
    known: Mapping[str, bytes] | None = None,
) -> FolderHashes:
    """The same for an opened checkpoint; `known` data hashes, by tensor name, are taken and not computed again."""
    checkpoint.require_weights()
    folder = checkpoint.folder
    data_hashes = dict(known or {})
    for name in checkpoint.weight_files:
        specs = [s for s in checkpoint.values() if s.path == folder / name and s.name not in data_hashes]
        data_hashes.update(_file_data_hashes(folder / name, specs, memory, threads, bytes_read))
    leaves = (leaf_of(spec, data_hashes[spec.name]) for spec in checkpoint.values())
    licence = None if checkpoint.lone else licence_hash(folder)
    return FolderHashes(manifest_of(leaves, _package(checkpoint)), hash_files(checkpoint), licence)


def _package(checkpoint: Checkpoint) -> dict[str, bytes]:
    """What gives the tensors meaning: a GGUF's metadata, else the files beside them."""
    if checkpoint.form == "gguf":
        return gguf_package(checkpoint.metadata)
    return {path: content_hash(checkpoint.folder, path) for path in package_paths(checkpoint.folder)}


def leaf_of(spec: TensorSpec, data_hash: bytes) -> Leaf:
    return Leaf(spec.name, spec.dtype, spec.shape, spec.byte_length, data_hash)


def hash_files(checkpoint: Checkpoint) -> dict[str, FileHash]:
    """Every file of the model but lineal.json, by POSIX path: weight files outside their tensors, the others whole."""
    folder = checkpoint.folder
    found = [folder / name for name in checkpoint.weight_files] if checkpoint.lone else folder_files(folder)
    names = [path.relative_to(folder).as_posix() for path in found]
    hashed: dict[str, FileHash] = {}
    for name in sorted(names, key=str.encode):
        if name in checkpoint.weight_files:
            hashed[name] = _hash_around(folder / name, [s for s in checkpoint.values() if s.path == folder / name])
        elif name != LINEAL_JSON:
            hashed[name] = FileHash((folder / name).stat().st_size, hash_file(folder / name))
    return hashed


def recall_checkpoint(checkpoint: Checkpoint, memory: HashMemory) -> FolderHashes | None:
    """The hashes of a folder whose weights are all remembered; None if any would have to be read."""
    known: dict[str, bytes] = {}
    for name in checkpoint.weight_files:
        recalled = memory.recall(checkpoint.folder / name)
        if recalled is None:
            return None
        known.update({tensor: bytes.fromhex(digest) for tensor, digest in recalled.items()})
    return hash_checkpoint(checkpoint, known=known) if known.keys() >= checkpoint.keys() else None


def hash_file(path: Path, memory: HashMemory | None = None) -> bytes:
    """The hash of a file's raw bytes."""
    recalled = memory.recall(path) if memory else None
    if recalled is not None and "file" in recalled:
        return bytes.fromhex(recalled["file"])
    before = os.stat(path)
    with path.open("rb") as file:
        digest = blake3()
        while window := file.read(WINDOW_BYTES):
            digest.update(window)
    if memory:
        memory.remember(path, before, {"file": digest.hexdigest()})
    return digest.digest()


def hash_tensors(
    specs: Iterable[TensorSpec], *, threads: int | None = None, bytes_read: BytesRead | None = None
) -> dict[str, bytes]:
    """The data hash of each tensor, a tensor a thread, the largest first."""
    ordered = sorted(specs, key=lambda spec: -spec.byte_length)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        digests = pool.map(lambda spec: _hash_tensor(spec, bytes_read), ordered)
        return {spec.name: digest for spec, digest in zip(ordered, digests, strict=True)}


def _hash_tensor(spec: TensorSpec, bytes_read: BytesRead | None) -> bytes:
    digest = blake3()
    buffer = memoryview(bytearray(min(WINDOW_BYTES, spec.byte_length)))
    descriptor = os.open(spec.path, os.O_RDONLY)
    try:
        for start in range(0, spec.byte_length, WINDOW_BYTES):
            window = buffer[: min(WINDOW_BYTES, spec.byte_length - start)]
            read_exactly(descriptor, window, spec.offset + start, spec.path)
            digest.update(window)
            if bytes_read:
                bytes_read(len(window))
    finally:
        os.close(descriptor)
    return digest.digest()


def _file_data_hashes(
    path: Path, specs: list[TensorSpec], memory: HashMemory | None, threads: int | None, bytes_read: BytesRead | None
) -> dict[str, bytes]:
    if not specs:
        return {}
    recalled: dict[str, Any] | None = memory.recall(path) if memory else None
    if recalled is not None and all(spec.name in recalled for spec in specs):
        return {spec.name: bytes.fromhex(recalled[spec.name]) for spec in specs}
    before = os.stat(path)
    hashes = hash_tensors(specs, threads=threads, bytes_read=bytes_read)
    if memory:
        memory.remember(path, before, {name: digest.hex() for name, digest in hashes.items()})
    return hashes


def _hash_around(path: Path, specs: Iterable[TensorSpec]) -> FileHash:
    """The header, and the padding where a format has it: in the order of the file, all that no tensor covers."""
    digest = blake3()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = 0
        for start, after in (*sorted((s.offset, s.offset + s.byte_length) for s in specs), (size, size)):
            file.seek(end)
            digest.update(file.read(start - end))
            end = after
    return FileHash(size, digest.digest())
