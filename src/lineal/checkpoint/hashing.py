"""The content hash of a folder: every tensor, package entry and file, in one pass over its bytes."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from blake3 import blake3

from lineal.checkpoint.identity import Leaf, Manifest, manifest_of
from lineal.checkpoint.memory import HashMemory
from lineal.checkpoint.package import content_hash, licence_hash, licence_paths, package_paths
from lineal.checkpoint.reader import FULL_INDEX, Checkpoint, open_checkpoint, read_exactly
from lineal.checkpoint.safetensors_header import TensorSpec

WINDOW_BYTES = 1 << 20

BytesRead = Callable[[int], None]
"""Called with a count of bytes each time so many have been read."""


@final
@dataclass(frozen=True)
class FileHash:
    """A file's size and hash: of all its bytes, or of a weight file's header, whose tensors have hashes of their own."""

    size: int
    digest: bytes


@final
@dataclass(frozen=True)
class FolderHashes:
    """What a model folder contains, by content. Safetensors tile their file, so headers and leaves miss no byte."""

    manifest: Manifest
    files: Mapping[str, FileHash]
    licence: bytes | None


def hash_folder(
    folder: Path, *, memory: HashMemory | None = None, threads: int | None = None, bytes_read: BytesRead | None = None
) -> FolderHashes:
    """Hash a model folder; files that `memory` knows to be unchanged are not read."""
    return hash_checkpoint(open_checkpoint(folder), memory=memory, threads=threads, bytes_read=bytes_read)


def hash_checkpoint(
    checkpoint: Checkpoint,
    *,
    memory: HashMemory | None = None,
    threads: int | None = None,
    bytes_read: BytesRead | None = None,
    known: Mapping[str, bytes] | None = None,
) -> FolderHashes:
    """The same for an opened checkpoint; `known` data hashes, by tensor name, are taken and not computed again."""
    folder = checkpoint.folder
    data_hashes = dict(known or {})
    for name in checkpoint.weight_files:
        specs = [s for s in checkpoint.values() if s.path == folder / name and s.name not in data_hashes]
        data_hashes.update(_file_data_hashes(folder / name, specs, memory, threads, bytes_read))
    leaves = (leaf_of(spec, data_hashes[spec.name]) for spec in checkpoint.values())
    package = {path: content_hash(folder, path) for path in package_paths(folder)}
    return FolderHashes(manifest_of(leaves, package), hash_files(checkpoint), licence_hash(folder))


def leaf_of(spec: TensorSpec, data_hash: bytes) -> Leaf:
    return Leaf(spec.name, spec.dtype, spec.shape, spec.byte_length, data_hash)


def hash_files(checkpoint: Checkpoint) -> dict[str, FileHash]:
    """Every file of the model by POSIX path: weight files by their headers, the others whole."""
    folder = checkpoint.folder
    names = [*package_paths(folder), *licence_paths(folder)]
    if (folder / FULL_INDEX).is_file():
        names.append(FULL_INDEX)
    hashed = {name: FileHash((folder / name).stat().st_size, _digest((folder / name).read_bytes())) for name in names}
    for name in checkpoint.weight_files:
        with (folder / name).open("rb") as file:
            prefix = file.read(8)
            header = file.read(int.from_bytes(prefix, "little"))
            hashed[name] = FileHash(os.fstat(file.fileno()).st_size, _digest(prefix + header))
    return dict(sorted(hashed.items()))


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
    recalled: dict[str, Any] | None = memory.recall(path) if memory else None
    if recalled is not None and all(spec.name in recalled for spec in specs):
        return {spec.name: bytes.fromhex(recalled[spec.name]) for spec in specs}
    before = os.stat(path)
    hashes = hash_tensors(specs, threads=threads, bytes_read=bytes_read)
    if memory:
        memory.remember(path, before, {name: digest.hex() for name, digest in hashes.items()})
    return hashes


def _digest(content: bytes) -> bytes:
    return blake3(content).digest()
