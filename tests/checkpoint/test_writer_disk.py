"""A disk that is full, slow or broken under a writer."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from lineal.checkpoint.written import writer
from lineal.checkpoint.written.layout import Planned, lay_out
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.errors import StorageError

TENSOR = Planned("a", "U8", (100,))
LAYOUT = lay_out([TENSOR])
CONTENT = bytes(range(100))


def fail(*_: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def put(checkpoint: CheckpointWriter) -> None:
    checkpoint.write(TENSOR, 0, memoryview(CONTENT))
    checkpoint.finish(TENSOR, blake3(CONTENT).digest(), None)


def test_a_disk_that_fills_up_says_what_to_do_and_the_next_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CheckpointWriter(tmp_path, LAYOUT, "key") as checkpoint:
        monkeypatch.setattr(os, "pwrite", fail)
        with pytest.raises(
            StorageError, match=r"model\.safetensors: no room left on its disk; make room, the same command"
        ):
            put(checkpoint)
    monkeypatch.undo()
    with CheckpointWriter(tmp_path, LAYOUT, "key") as checkpoint:
        put(checkpoint)
        checkpoint.seal()
    assert (tmp_path / "model.safetensors").read_bytes().endswith(CONTENT)


@pytest.mark.parametrize("most", [1, 7, 99])
def test_writes_that_are_cut_short_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    pwrite = os.pwrite
    with CheckpointWriter(tmp_path, LAYOUT, "key") as checkpoint:
        monkeypatch.setattr(os, "pwrite", lambda file, raw, offset: pwrite(file, raw[:most], offset))
        put(checkpoint)
        checkpoint.seal()
    assert (tmp_path / "model.safetensors").read_bytes().endswith(CONTENT)


def watch_flushes(monkeypatch: pytest.MonkeyPatch, flush: Callable[[int], Any]) -> None:
    monkeypatch.setattr(writer, "_FLUSH_BYTES", 50)
    monkeypatch.setattr(os, "fsync", flush)


def test_writing_back_begins_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    with CheckpointWriter(tmp_path, LAYOUT, "key") as checkpoint:
        watch_flushes(monkeypatch, flushed.append)
        for start in range(0, 100, 20):
            checkpoint.write(TENSOR, start, memoryview(CONTENT)[start : start + 20])
    assert len(flushed) == 1  # after 60 of the 100 bytes


def test_a_write_back_that_failed_early_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CheckpointWriter(tmp_path, LAYOUT, "key") as checkpoint:
        watch_flushes(monkeypatch, fail)
        put(checkpoint)
        monkeypatch.setattr(os, "fsync", lambda _: None)
        with pytest.raises(OSError, match="No space left"):
            checkpoint.seal()
    assert (tmp_path / writer.JOURNAL).exists()
