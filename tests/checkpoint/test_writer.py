"""Tensors in, an ordinary folder out; what a killed run finished is not computed again."""

import json
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from blake3 import blake3

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import Layout, Planned, lay_out
from lineal.checkpoint.written.writer import JOURNAL, CheckpointWriter
from lineal.errors import NotEnoughSpace, StorageError
from tests.builders import NUMPY, Array, random_tensors, read_folder, same_bits

DTYPES = {"a": "F32", "b": "BF16", "c": "F16", "d": "I64", "e": "F8_E4M3", "f": "BOOL", "g": "F32", "h": "BF16"}
SHAPES = {"a": (3, 5), "b": (7,), "c": (), "d": (2, 2), "e": (4, 3), "f": (5,), "g": (0, 3), "h": (16, 16)}


@pytest.fixture
def tensors() -> dict[str, Array]:
    drawn = random_tensors(3, SHAPES)
    return {name: (10 * drawn[name]).astype(NUMPY[dtype]) for name, dtype in DTYPES.items()}


def layout_of(shard_bytes: int = 1 << 30) -> Layout:
    return lay_out([Planned(name, DTYPES[name], SHAPES[name]) for name in DTYPES], shard_bytes=shard_bytes)


def put(writer: CheckpointWriter, layout: Layout, name: str, values: Array, piece: int = 7) -> None:
    """Write a tensor in pieces, the last first, and finish it."""
    planned, raw = layout.slots[name].planned, values.tobytes()
    for start in reversed(range(0, len(raw), piece)):
        writer.write(planned, start, memoryview(raw[start : start + piece]))
    writer.finish(planned, blake3(raw).digest(), [name])


def write_all(folder: Path, tensors: Mapping[str, Array], layout: Layout, key: str = "key") -> list[str]:
    """Finish what is unfinished, seal, and return the names that had to be written."""
    with CheckpointWriter(folder, layout, key) as writer:
        unfinished = [name for name in tensors if name not in writer.leaves]
        for name in unfinished:
            put(writer, layout, name, tensors[name])
        writer.seal()
    return unfinished


def abandon(folder: Path, tensors: Mapping[str, Array], layout: Layout, names: Iterable[str], key: str = "key") -> None:
    """What a kill leaves behind: some tensors finished, one half-written."""
    with CheckpointWriter(folder, layout, key) as writer:
        for name in names:
            put(writer, layout, name, tensors[name])
        half = tensors["h"].tobytes()[:100]
        writer.write(layout.slots["h"].planned, 0, memoryview(half))


@pytest.mark.parametrize("shard_bytes", [1, 100, 600, 1 << 30])
def test_the_safetensors_library_reads_what_was_written(
    tmp_path: Path, tensors: dict[str, Array], shard_bytes: int
) -> None:
    layout = layout_of(shard_bytes)
    write_all(tmp_path, tensors, layout)
    read = read_folder(tmp_path)
    assert read.keys() == tensors.keys()
    assert all(same_bits(read[name], tensors[name]) for name in tensors)
    assert {path.name for path in tmp_path.iterdir()} == {
        *layout.headers,
        *(["model.safetensors.index.json"] * bool(layout.index)),
    }
    checkpoint = open_checkpoint(tmp_path)
    assert all(checkpoint.read(name) == tensors[name].tobytes() for name in tensors)


def test_the_same_tensors_are_the_same_bytes_whatever_the_order_of_writing(
    tmp_path: Path, tensors: dict[str, Array]
) -> None:
    layout = layout_of(300)
    write_all(tmp_path / "a", tensors, layout)
    write_all(tmp_path / "b", dict(reversed(tensors.items())), layout)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_leaves_are_those_of_the_finished_folder(tmp_path: Path, tensors: dict[str, Array]) -> None:
    layout = layout_of()
    with CheckpointWriter(tmp_path, layout, "key") as writer:
        for name, values in tensors.items():
            put(writer, layout, name, values)
        writer.seal()
        leaves = writer.leaves
    assert {leaf.name: leaf for leaf in hash_folder(tmp_path).manifest.leaves} == leaves


def test_threads_may_write_at_once(tmp_path: Path, tensors: dict[str, Array]) -> None:
    layout = layout_of(200)
    with CheckpointWriter(tmp_path, layout, "key") as writer:
        threads = [threading.Thread(target=put, args=(writer, layout, name, tensors[name], 1)) for name in tensors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.seal()
    assert all(same_bits(values, tensors[name]) for name, values in read_folder(tmp_path).items())


def test_an_unfinished_folder_is_not_sealed(tmp_path: Path, tensors: dict[str, Array]) -> None:
    layout = layout_of()
    with CheckpointWriter(tmp_path, layout, "key") as writer:
        put(writer, layout, "a", tensors["a"])
        with pytest.raises(StorageError, match="'b' and 6 other tensors were not written"):
            writer.seal()


def test_a_killed_run_is_continued_tensor_by_tensor(tmp_path: Path, tensors: dict[str, Array]) -> None:
    layout = layout_of(300)
    abandon(tmp_path / "killed", tensors, layout, "ace")
    with CheckpointWriter(tmp_path / "killed", layout, "key") as writer:
        assert set(writer.leaves) == set("ace")
        assert writer.notes == {name: [name] for name in "ace"}
    assert write_all(tmp_path / "killed", tensors, layout) == list("bdfgh")
    write_all(tmp_path / "whole", tensors, layout)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes()


def test_a_torn_line_of_the_journal_is_no_entry(tmp_path: Path, tensors: dict[str, Array]) -> None:
    abandon(tmp_path, tensors, layout_of(), "abc")
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-5])
    assert write_all(tmp_path, tensors, layout_of()) == list("cdefgh")


JUNK = [
    b"\x00" * 40 + b"\n",
    b"not json\n",
    b"null\n",
    b"{}\n",
    b'{"name": "a", "data_hash": "x", "note": 1}\n',
    b"[1]\n",
]


@pytest.mark.parametrize("junk", JUNK)
def test_a_journal_that_makes_no_sense_starts_afresh(tmp_path: Path, tensors: dict[str, Array], junk: bytes) -> None:
    abandon(tmp_path, tensors, layout_of(), "abc")
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(junk)
    assert write_all(tmp_path, tensors, layout_of()) == list(tensors)
    assert all(same_bits(values, tensors[name]) for name, values in read_folder(tmp_path).items())


def test_a_finished_tensor_whose_bytes_changed_is_computed_again(tmp_path: Path, tensors: dict[str, Array]) -> None:
    layout = layout_of()
    abandon(tmp_path, tensors, layout, "abc")
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.seek(layout.slots["b"].offset)
        file.write(b"\xff")
    assert write_all(tmp_path, tensors, layout) == list("bdefgh")
    assert all(same_bits(values, tensors[name]) for name, values in read_folder(tmp_path).items())


def test_a_file_that_vanished_is_written_again(tmp_path: Path, tensors: dict[str, Array]) -> None:
    layout = layout_of(300)
    abandon(tmp_path, tensors, layout, "abcdefgh")
    (tmp_path / layout.slots["h"].file).unlink()
    assert "h" in write_all(tmp_path, tensors, layout)
    assert all(same_bits(values, tensors[name]) for name, values in read_folder(tmp_path).items())


class Restart(NamedTuple):
    key: str
    shard_bytes: int


@pytest.mark.parametrize("restart", [Restart("other", 300), Restart("key", 1 << 30), Restart("key", 1)])
def test_another_key_or_layout_starts_afresh(tmp_path: Path, tensors: dict[str, Array], restart: Restart) -> None:
    abandon(tmp_path, tensors, layout_of(300), "abc")
    (tmp_path / "folder").mkdir()
    layout = layout_of(restart.shard_bytes)
    assert write_all(tmp_path, tensors, layout, restart.key) == list(tensors)
    assert {path.name for path in tmp_path.glob("*.safetensors")} == set(layout.headers)
    assert not (tmp_path / "folder").exists()


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_what_does_not_fit_is_refused_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(1 << 40, 1 << 40, 1 << 20))
    with pytest.raises(NotEnoughSpace, match=r"bytes are needed, 1,048,576 are free"):
        CheckpointWriter(tmp_path / "new", layout_of(), "key")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_killed_run_wrote_need_not_fit_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    megabyte = b"\x01" * (1 << 20)
    layout = lay_out([Planned("a", "U8", (8 << 20,)), Planned("b", "U8", (1 << 20,))])
    with CheckpointWriter(tmp_path, layout, "key") as writer:
        for start in range(8):
            writer.write(layout.slots["a"].planned, start << 20, memoryview(megabyte))
        writer.finish(layout.slots["a"].planned, blake3(megabyte * 8).digest(), None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(1 << 40, 1 << 40, 18 << 20))
    with CheckpointWriter(tmp_path, layout, "key") as writer:
        assert set(writer.leaves) == {"a"}


def test_the_index_says_where_tensors_are(tmp_path: Path, tensors: dict[str, Array]) -> None:
    write_all(tmp_path, tensors, layout_of(100))
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(values.nbytes for values in tensors.values())
    assert set(index["weight_map"]) == set(tensors)


def test_fp8_and_bf16_keep_their_bits(tmp_path: Path) -> None:
    patterns = {"e": np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn)}
    layout = lay_out([Planned("e", "F8_E4M3", (256,))])
    write_all(tmp_path, patterns, layout)
    assert same_bits(read_folder(tmp_path)["e"], patterns["e"])
