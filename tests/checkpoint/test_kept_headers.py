"""Headers are kept while their files stay the same, and read anew as soon as they do not."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.headers import kept as kept_headers
from lineal.checkpoint.headers import safetensors as safetensors_header
from lineal.checkpoint.headers.safetensors import read_header
from lineal.checkpoint.reader import open_checkpoint
from tests.builders import make_checkpoint, random_tensors, write_safetensors

SHAPES = {"a": (3, 4), "b": (5,)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_checkpoint(tmp_path / "model", random_tensors(1, SHAPES))
    time.sleep(2 * kept_headers.RACY_NS / 1e9)
    return made


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were parsed."""
    found: list[Path] = []
    parse = safetensors_header._read
    monkeypatch.setattr(safetensors_header, "_read", lambda path, file: (found.append(path), parse(path, file))[1])
    monkeypatch.setattr(safetensors_header, "_KEPT", kept_headers.KeptHeaders())
    return found


def test_a_header_is_parsed_once_while_its_file_stays_the_same(folder: Path, parses: list[Path]) -> None:
    first = open_checkpoint(folder)
    assert open_checkpoint(folder) == first
    assert len(parses) == 1


def test_a_file_that_changed_a_moment_ago_is_not_kept(tmp_path: Path, parses: list[Path]) -> None:
    path = tmp_path / "x.safetensors"
    for value in range(4):
        write_safetensors(path, {f"n{value}": np.zeros(2, np.float32)})
        assert list(read_header(path)[0]) == [f"n{value}"]
    assert len(parses) == 4


@pytest.mark.parametrize("kept_time", [False, True])
def test_a_file_that_changes_is_read_anew(folder: Path, parses: list[Path], kept_time: bool) -> None:
    """Even where somebody sets its time back: the time of the last change of its inode cannot be set."""
    path = folder / "model.safetensors"
    before = path.stat()
    assert "a" in open_checkpoint(folder)
    content = path.read_bytes().replace(b'"a"', b'"c"')
    path.write_bytes(content)
    if kept_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert "c" in open_checkpoint(folder)
    assert len(parses) == 2


def test_a_folder_that_got_another_name_has_its_tensors_there(folder: Path, parses: list[Path]) -> None:
    before = open_checkpoint(folder)
    moved = folder.rename(folder.with_name("moved"))
    after = open_checkpoint(moved)
    assert {spec.path for spec in after.values()} == {moved / "model.safetensors"}
    assert [spec.at(folder / "model.safetensors") for spec in after.values()] == list(before.values())
    assert after.read("a") == bytes(random_tensors(1, SHAPES)["a"].tobytes())
    assert len(parses) == 1


def test_no_more_is_kept_than_there_is_room_for(
    tmp_path: Path, parses: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_headers, "RACY_NS", -1)
    folders = [make_checkpoint(tmp_path / str(n), random_tensors(n, SHAPES)) for n in range(3)]
    numbers = sum(values.nbytes for values in random_tensors(0, SHAPES).values())
    length = (folders[0] / "model.safetensors").stat().st_size - numbers
    monkeypatch.setattr(kept_headers, "_MOST_BYTES", 2 * length + length // 2)
    for folder in (*folders, folders[2], folders[1], folders[0]):
        assert len(open_checkpoint(folder)) == 2
    assert [path.parent.name for path in parses] == ["0", "1", "2", "0"]
