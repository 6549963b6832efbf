"""The content hash of a model: every tensor, package entry and file, in one pass over its bytes."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

from blake3 import blake3

from lineal.checkpoint.content.identity import Leaf, Manifest, layout_hash, manifest_of
from lineal.checkpoint.content.memory import HashMemory
from lineal.checkpoint.content.published import Digests, Published
from lineal.checkpoint.content.stretches import WINDOW_BYTES, BytesRead, Parts, hash_stretch, stretches
from lineal.checkpoint.headers.gguf_metadata import gguf_package
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.inside import regular_files
from lineal.checkpoint.package import CONFIGS, content_hash, licence_hash, package_paths
from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.reader import Checkpoint, open_checkpoint

LINEAL_JSON = "lineal.json"

_WHOLE = "file"
"""What the hash of a file's raw bytes is remembered under."""


@final
@dataclass(frozen=True)
class FileHash:
    """A file's size and hash: of all its bytes, or of a weight file's outside its tensors, which have their own."""

    size: int
    digest: bytes


@final
@dataclass(frozen=True)
class FolderHashes:
    """What a model contains, by content; files and leaves together miss no byte.

    parameters: numbers of the weights that the tensors stand for; published: the leaves of its tensors as its
    architecture is published; None where that is not known.
    """

    manifest: Manifest
    files: Mapping[str, FileHash]
    licence: bytes | None
    parameters: int
    published: tuple[Leaf, ...] | None = None

    def differing(self, read: Mapping[str, bytes]) -> str | None:
        """A tensor, stored or published, that was read with another data hash than it has here; of one file or all."""
        stored = {leaf.name: leaf.data_hash for leaf in self.manifest.leaves}
        known = {**{leaf.name: leaf.data_hash for leaf in self.published or ()}, **stored}
        return next((name for name, digest in read.items() if known.get(name, digest) != digest), None)

    @cached_property
    def layout_hash(self) -> bytes | None:
        """Equal for the same weights in whichever layout; None where layouts of the architecture are not known."""
        return None if self.published is None else layout_hash(self.manifest, self.published)


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
    known_parts: Mapping[str, bytes] | None = None,
) -> FolderHashes:
    """Hash an opened checkpoint; `known` data hashes, by tensor name, are taken and not computed again.

    known_parts: those of published tensors that are not stored as they are.
    """
    checkpoint.require_weights()
    published = Published(checkpoint)
    hashes = Digests(dict(known or {}), dict(known_parts or {}))
    unknown = _by_file(spec for spec in checkpoint.values() if not published.knows(spec, hashes))
    for path, specs in list(unknown.items()):
        recalled = published.recalled((memory.recall(path) if memory else None) or {}, specs)
        if recalled is not None:
            hashes.take(recalled)
            del unknown[path]
    hashes.take(_read_data_hashes(unknown, published.parts, memory, threads, bytes_read))
    leaves = tuple(leaf_of(spec, hashes.tensors[spec.name]) for spec in checkpoint.values())
    manifest = manifest_of(leaves, _package(checkpoint, files := hash_files(checkpoint, memory)))
    licence = None if checkpoint.lone else licence_hash(checkpoint.folder)
    return FolderHashes(manifest, files, licence, parameters_of(checkpoint), published.leaves(manifest, hashes))


def with_file(hashes: FolderHashes, folder: Path, name: str) -> FolderHashes:
    """The hashes with a file that came into the folder since, and is no part of what gives the tensors meaning."""
    found = FileHash((folder / name).stat().st_size, hash_file(folder / name))
    files = {**hashes.files, name: found}
    return replace(hashes, files=dict(sorted(files.items(), key=lambda file: file[0].encode())))


def _package(checkpoint: Checkpoint, files: Mapping[str, FileHash]) -> dict[str, bytes]:
    """What gives the tensors meaning: a GGUF's metadata, else the files beside them, of which most are hashed whole."""
    if checkpoint.form == "gguf":
        return gguf_package(checkpoint.metadata)
    otherwise = {*CONFIGS, *checkpoint.weight_files}
    return {
        path: content_hash(checkpoint.folder, path) if path in otherwise else files[path].digest
        for path in package_paths(checkpoint.folder)
    }


def leaf_of(spec: TensorSpec, data_hash: bytes) -> Leaf:
    return Leaf(spec.name, spec.dtype, spec.shape, spec.byte_length, data_hash)


def to_remember(checkpoint: Checkpoint, hashes: FolderHashes) -> dict[Path, Mapping[str, bytes]]:
    """For each weight file, what a memory keeps of it."""
    parts = Published(checkpoint).parts
    of_parts = {leaf.name: leaf.data_hash for leaf in hashes.published or ()}
    found = {checkpoint.folder / name: Digests({}, {}) for name in checkpoint.weight_files}
    for leaf in hashes.manifest.leaves:
        in_file = found[checkpoint[leaf.name].path]
        in_file.tensors[leaf.name] = leaf.data_hash
        in_file.parts.update((view.spec.name, of_parts[view.spec.name]) for view in parts.get(leaf.name, ()))
    return {path: in_file.to_remember for path, in_file in found.items()}


def hash_files(checkpoint: Checkpoint, memory: HashMemory | None = None) -> dict[str, FileHash]:
    """Every file of the model but lineal.json, by POSIX path: weight files outside their tensors, the others whole."""
    folder = checkpoint.folder
    found = [folder / name for name in checkpoint.weight_files] if checkpoint.lone else regular_files(folder)
    names = [path.relative_to(folder).as_posix() for path in found]
    hashed: dict[str, FileHash] = {}
    inside = _by_file(checkpoint.values())
    for name in sorted(names, key=str.encode):
        if name in checkpoint.weight_files:
            hashed[name] = _hash_around(folder / name, inside.get(folder / name, ()))
        elif name != LINEAL_JSON:
            hashed[name] = FileHash((folder / name).stat().st_size, hash_file(folder / name, memory))
    return hashed


def recall_checkpoint(checkpoint: Checkpoint, memory: HashMemory) -> FolderHashes | None:
    """The hashes of a folder whose weights are all remembered; None if any would have to be read."""
    published, known = Published(checkpoint), Digests({}, {})
    for path, specs in _by_file(checkpoint.values()).items():
        recalled = published.recalled(memory.recall(path) or {}, specs)
        if recalled is None:
            return None
        known.take(recalled)
    return hash_checkpoint(checkpoint, known=known.tensors, known_parts=known.parts, memory=memory)


def hash_file(path: Path, memory: HashMemory | None = None) -> bytes:
    """The hash of a file's raw bytes."""
    recalled = memory.recall(path) if memory else None
    if recalled is not None and _WHOLE in recalled:
        return recalled[_WHOLE]
    before = os.stat(path)
    with path.open("rb") as file:
        digest = blake3()
        while window := file.read(WINDOW_BYTES):
            digest.update(window)
    if memory:
        memory.remember(path, before, {_WHOLE: digest.digest()})
    return digest.digest()


def find_file(name: str, digest: bytes, memory: HashMemory) -> Path | None:
    """A file with this hash, read anew: where one was hashed before, or in the working folder under its name."""
    for path in (*memory.places({_WHOLE: digest}), Path(name)):
        if path.is_file() and hash_file(path) == digest:
            return path
    return None


def hash_tensors(
    specs: Iterable[TensorSpec], *, threads: int | None = None, bytes_read: BytesRead | None = None
) -> dict[str, bytes]:
    """The data hash of each tensor."""
    return _read_data_hashes(_by_file(specs), {}, None, threads, bytes_read).tensors


def _by_file(specs: Iterable[TensorSpec]) -> dict[Path, list[TensorSpec]]:
    files: dict[Path, list[TensorSpec]] = {}
    path, in_file = None, list[TensorSpec]()
    for spec in specs:
        if spec.path is not path:  # most come file by file
            path, in_file = spec.path, files.setdefault(spec.path, [])
        in_file.append(spec)
    return files


def _read_data_hashes(
    files: Mapping[Path, list[TensorSpec]],
    parts: Parts,
    memory: HashMemory | None,
    threads: int | None,
    bytes_read: BytesRead | None,
) -> Digests:
    """No thread waits at the end of a file; each file is remembered as soon as all of it is hashed."""
    found = Digests({}, {})
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        begun = [
            (path, os.stat(path), [pool.submit(hash_stretch, one, parts, bytes_read) for one in stretches(specs)])
            for path, specs in files.items()
        ]
        try:
            for path, before, stretched in begun:
                in_file = Digests({}, {})
                for hashed in stretched:
                    in_file.take(Digests(*hashed.result()))
                found.take(in_file)
                if memory:
                    memory.remember(path, before, in_file.to_remember)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _hash_around(path: Path, specs: Iterable[TensorSpec]) -> FileHash:
    """The header, and the padding where a format has it: in the order of the file, all that no tensor covers."""
    digest = blake3()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = 0
        for start, after in (*sorted((s.offset, s.offset + s.byte_length) for s in specs), (size, size)):
            if start > end:
                _ = file.seek(end)
                digest.update(file.read(start - end))
            end = after
    return FileHash(size, digest.digest())
