"""Tensors in, shards out: written at their places in any order, resumable tensor by tensor after a kill."""

import json
import os
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, final

from blake3 import blake3

from lineal.checkpoint.content.hashing import hash_tensors
from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.written.layout import Layout, Planned, index_name
from lineal.derivation.canonical import Json
from lineal.errors import NotEnoughSpace, StorageError
from lineal.shown import quoted
from lineal.system_words import reason

JOURNAL = ".lineal-progress.jsonl"
_SPARE_BYTES = 16 << 20
_FLUSH_BYTES = 64 << 20


@final
class CheckpointWriter:
    """A half-written checkpoint in a folder of its own.

    `notes` holds what `finish` was told of tensors that an earlier, killed run completed; their bytes have been
    hashed again and are intact. Thread-safe.
    """

    def __init__(self, folder: Path, layout: Layout, key: str) -> None:
        """key: what the journal must have been begun with, and for this layout, to be continued; else all is new."""
        self._folder, self._layout = folder, layout
        self._lock = threading.Lock()
        self._unflushed = 0
        self._flusher = ThreadPoolExecutor(1)
        self._flushes: list[Future[None]] = []
        self.notes: dict[str, Json] = {}
        self.leaves: dict[str, Leaf] = {}
        folder.mkdir(parents=True, exist_ok=True)
        begun: dict[str, Json] = {"key": key, "layout": blake3(b"".join(layout.headers.values())).hexdigest()}
        resumed = _read_journal(folder / JOURNAL, begun)
        if resumed is None:
            for path in folder.iterdir():
                path.unlink() if path.is_file() else shutil.rmtree(path)
        sizes = layout.file_sizes
        check_space(folder, sum(sizes.values()) - _allocated(folder))
        self._files = {file: self._open(file, size) for file, size in sizes.items()}
        self._adopt(resumed or {})
        self._journal = os.open(folder / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._append(begun)
        for name, leaf in self.leaves.items():
            self._append({"name": name, "data_hash": leaf.data_hash.hex(), "note": self.notes[name]})

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        """Write bytes of a tensor, `start` bytes into it."""
        slot = self._layout.slots[planned.name]
        done = 0
        try:
            while done < len(raw):
                done += os.pwrite(self._files[slot.file], raw[done:], slot.offset + start + done)
        except OSError as error:
            raise StorageError(f"{self._folder / slot.file}: {reason(error)}") from None
        self._flush_now_and_then(slot.file, done)

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        """All bytes of this tensor are written, and hash to this; `note` comes back after a resume."""
        with self._lock:
            self.leaves[planned.name] = planned.leaf(data_hash)
            self.notes[planned.name] = note
            self._append({"name": planned.name, "data_hash": data_hash.hex(), "note": note})

    def seal(self) -> None:
        """Everything is finished: make it durable and leave an ordinary folder."""
        missing = self._layout.slots.keys() - self.leaves.keys()
        if missing:
            raise StorageError(
                f"{self._folder}: {quoted(min(missing))} and {len(missing) - 1} other tensors were not written"
            )
        for flush in self._flushes:
            flush.result()  # the kernel reports a failed write-back once, and it may have been to this one
        for descriptor in self._files.values():
            os.fsync(descriptor)
        name = index_name(self._layout)
        if name is not None and self._layout.index is not None:
            (self._folder / name).write_bytes(self._layout.index)
        (self._folder / JOURNAL).unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flusher.shutdown()
        for descriptor in (*self._files.values(), self._journal):
            os.close(descriptor)

    def _open(self, file: str, size: int) -> int:
        try:
            descriptor = os.open(self._folder / file, os.O_RDWR | os.O_CREAT, 0o644)
            os.truncate(descriptor, size)
            os.pwrite(descriptor, self._layout.headers[file], 0)
        except OSError as error:
            raise StorageError(f"{self._folder / file}: {reason(error)}") from None
        return descriptor

    def _adopt(self, resumed: Mapping[str, tuple[bytes, Json]]) -> None:
        """Take over the tensors whose bytes still hash to what the journal says; the rest is computed again."""
        slots = [slot for name, slot in self._layout.slots.items() if name in resumed]
        specs = [
            TensorSpec(
                s.planned.name, s.planned.dtype, s.planned.shape, self._folder / s.file, s.offset, s.planned.byte_length
            )
            for s in slots
        ]
        for name, data_hash in hash_tensors(specs).items():
            if data_hash == resumed[name][0]:
                self.leaves[name] = self._layout.slots[name].planned.leaf(data_hash)
                self.notes[name] = resumed[name][1]

    def _append(self, line: dict[str, Json]) -> None:
        os.write(self._journal, json.dumps(line).encode() + b"\n")

    def _flush_now_and_then(self, file: str, written: int) -> None:
        """Start writing back early, so that the last fsync does not wait for everything at once."""
        with self._lock:
            self._unflushed += written
            due = self._unflushed >= _FLUSH_BYTES
            if due:
                self._unflushed = 0
        if due:
            self._flushes.append(self._flusher.submit(os.fsync, self._files[file]))


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise NotEnoughSpace(f"{folder}: {needed + _SPARE_BYTES:,} bytes are needed, {free:,} are free")


def _allocated(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


def _read_journal(path: Path, begun: dict[str, Json]) -> dict[str, tuple[bytes, Json]] | None:
    """What a killed run finished; None if nothing here can be continued. A torn last line is no entry."""
    try:
        first, *lines = (json.loads(line) for line in path.read_bytes().split(b"\n")[:-1])
        finished = {line["name"]: (bytes.fromhex(line["data_hash"]), line["note"]) for line in lines}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return finished if first == begun else None
