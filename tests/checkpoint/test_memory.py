"""Remembered hashes: only of files that cannot have changed since."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.content import hashing
from lineal.checkpoint.content.hashing import hash_file, hash_folder, recall_checkpoint
from lineal.checkpoint.content.memory import HashMemory
from lineal.checkpoint.reader import open_checkpoint
from tests.builders import make_checkpoint, make_tokenizer, random_tensors

HASHES = {"a": b"\x00\xff" * 16}


@pytest.fixture
def memory(tmp_path: Path) -> HashMemory:
    return HashMemory(tmp_path / "cache" / "hashes.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that was last changed an hour ago."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"content")
    age(path)
    return path


def age(path: Path) -> None:
    hour_ago = time.time_ns() - 3600 * 10**9
    os.utime(path, ns=(hour_ago, hour_ago))


def test_an_unchanged_file_is_recalled(memory: HashMemory, file: Path) -> None:
    memory.remember(file, os.stat(file), HASHES)
    assert memory.recall(file) == HASHES


def test_a_file_is_known_under_all_its_paths(memory: HashMemory, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.remember(file, os.stat(file), HASHES)
    (file.parent / "link").symlink_to(file)
    monkeypatch.chdir(file.parent)
    assert memory.recall(file.parent / "link") == memory.recall(Path(file.name)) == HASHES


def test_a_file_never_seen_is_not_recalled(memory: HashMemory, file: Path) -> None:
    assert memory.recall(file) is None


def test_a_file_of_another_size_is_forgotten(memory: HashMemory, file: Path) -> None:
    memory.remember(file, os.stat(file), HASHES)
    before = os.stat(file)
    with file.open("ab") as opened:
        opened.write(b"!")
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert memory.recall(file) is None


def test_a_file_of_another_time_is_forgotten(memory: HashMemory, file: Path) -> None:
    memory.remember(file, os.stat(file), HASHES)
    os.utime(file, ns=(0, os.stat(file).st_mtime_ns + 1))
    assert memory.recall(file) is None


def test_another_file_in_its_place_is_not_taken_for_it(memory: HashMemory, file: Path) -> None:
    before = os.stat(file)
    memory.remember(file, before, HASHES)
    other = file.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(before.st_mtime_ns, before.st_mtime_ns))
    other.rename(file)
    assert (os.stat(file).st_size, os.stat(file).st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert memory.recall(file) is None


def test_a_file_that_changed_while_it_was_hashed_is_not_remembered(memory: HashMemory, file: Path) -> None:
    before = os.stat(file)
    file.write_bytes(b"changed")
    memory.remember(file, before, HASHES)
    assert memory.recall(file) is None


def test_a_file_changed_just_now_is_not_remembered(memory: HashMemory, file: Path) -> None:
    os.utime(file)
    memory.remember(file, os.stat(file), HASHES)
    assert memory.recall(file) is None


def test_a_file_from_the_future_is_not_remembered(memory: HashMemory, file: Path) -> None:
    later = time.time_ns() + 3600 * 10**9
    os.utime(file, ns=(later, later))
    memory.remember(file, os.stat(file), HASHES)
    assert memory.recall(file) is None


def test_a_damaged_memory_costs_time_and_is_begun_again(tmp_path: Path, file: Path) -> None:
    (tmp_path / "hashes.db").write_bytes(b"not a database, " * 100)
    memory = HashMemory(tmp_path / "hashes.db")
    assert memory.recall(file) is None
    memory.remember(file, os.stat(file), HASHES)
    memory.remember(file, os.stat(file), HASHES)
    assert memory.recall(file) == HASHES


def test_hashing_a_remembered_folder_reads_no_weights(memory: HashMemory, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", random_tensors(1, {"a": (64, 64), "b": (3,)}), shards=2)
    for path in folder.glob("*.safetensors"):
        age(path)
    counts: list[int] = []
    first = hash_folder(folder, memory=memory, bytes_read=counts.append)
    assert sum(counts) == 4 * (64 * 64 + 3)
    counts.clear()
    assert hash_folder(folder, memory=memory, bytes_read=counts.append) == first
    assert recall_checkpoint(open_checkpoint(folder), memory) == first
    assert counts == []


def test_a_remembered_folder_is_known_by_its_headers_and_configs(
    memory: HashMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_checkpoint(tmp_path / "model", random_tensors(1, {"a": (64, 64)}))
    make_tokenizer(folder, {"x": 0})
    (folder / "README.md").write_text("of a model")
    for path in folder.iterdir():
        age(path)
    first = hash_folder(folder, memory=memory)
    with monkeypatch.context() as patched:
        patched.setattr(hashing, "hash_stretch", None)  # of weights
        patched.setattr(hashing, "WINDOW_BYTES", None)  # of other files
        assert hash_folder(folder, memory=memory) == first
    (folder / "tokenizer.json").write_text("{}")
    assert hash_folder(folder, memory=memory).manifest.package != first.manifest.package


def test_verification_without_memory_finds_a_change_that_memory_cannot_see(memory: HashMemory, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", {"a": np.zeros(4, np.float32)})
    path = folder / "model.safetensors"
    age(path)
    before = os.stat(path)
    remembered = hash_folder(folder, memory=memory).manifest
    with path.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        opened.write(b"\x01")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert hash_folder(folder, memory=memory).manifest == remembered
    assert hash_folder(folder).manifest != remembered


def test_part_of_a_folder_remembered_is_not_the_whole(memory: HashMemory, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", random_tensors(1, {"a": (4,), "b": (3,)}), shards=2)
    for path in folder.glob("*.safetensors"):
        age(path)
    hash_folder(folder, memory=memory)
    os.utime(folder / "model-00002-of-00002.safetensors")
    assert recall_checkpoint(open_checkpoint(folder), memory) is None


def test_a_data_file_is_hashed_once(memory: HashMemory, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hash_file(file, memory)
    monkeypatch.setattr(hashing, "blake3", None)
    assert hash_file(file, memory) == first


def test_a_weight_file_can_be_hashed_whole_too(memory: HashMemory, file: Path) -> None:
    memory.remember(file, os.stat(file), HASHES)
    assert hash_file(file, memory) == hash_file(file)


def test_the_memory_is_an_ordinary_sqlite_file(memory: HashMemory, file: Path) -> None:
    memory.remember(file, os.stat(file), HASHES)
    database = sqlite3.connect(file.parent / "cache" / "hashes.db")
    assert database.execute("SELECT count(*) FROM remembered").fetchone() == (1,)
    database.close()


def test_a_memory_that_somebody_edited_has_forgotten(memory: HashMemory, file: Path) -> None:
    for edited in ("[]", '{"a": 1}', '{"a": "zz"}', "{"):
        memory.remember(file, os.stat(file), HASHES)
        with closing(sqlite3.connect(file.parent / "cache" / "hashes.db")) as database, database:
            database.execute("UPDATE remembered SET hashes = ?", (edited,))
        assert memory.recall(file) is None
