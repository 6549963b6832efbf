"""Machine code is kept whole, and read only where nobody else can have written it."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineal.kernels import kept
from lineal.kernels.kernel import Kernel
from lineal.kernels.types import Float32s


def double(values: Float32s) -> None:
    for i in range(values.size):
        values[i] *= np.float32(2)


CODE = bytes(range(200))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept.folder.cache_clear()
    yield kept.folder()
    kept.folder.cache_clear()


def test_what_is_kept_is_read(folder: Path) -> None:
    assert kept.read("a") is None
    kept.keep("a", CODE)
    assert kept.read("a") == CODE
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("length", [0, 10, 32, 33, 231])
def test_a_file_that_is_cut_short_is_not_read(folder: Path, length: int) -> None:
    kept.keep("a", CODE)
    content = (folder / "a").read_bytes()
    (folder / "a").write_bytes(content[:length])
    assert kept.read("a") is None


def test_a_file_with_another_byte_is_not_read(folder: Path) -> None:
    kept.keep("a", CODE)
    content = bytearray((folder / "a").read_bytes())
    content[100] ^= 1
    (folder / "a").write_bytes(content)
    assert kept.read("a") is None


def test_a_file_under_another_name_is_not_read(folder: Path) -> None:
    kept.keep("a", CODE)
    (folder / "a").rename(folder / "b")
    assert kept.read("b") is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_not_read(folder: Path, mode: int) -> None:
    kept.keep("a", CODE)
    (folder / "a").chmod(mode)
    assert kept.read("a") is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_nothing_is_read_from_or_kept_in_a_folder_that_others_may_write_to(folder: Path, mode: int) -> None:
    kept.keep("a", CODE)
    folder.chmod(mode)
    kept.keep("b", CODE)
    assert kept.read("a") is None
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_what_belongs_to_another_user_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.keep("a", CODE)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert kept.read("a") is None
    kept.keep("b", CODE)
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_links_pipes_and_folders_are_not_read(folder: Path) -> None:
    kept.keep("a", CODE)
    (folder / "link").symlink_to("a")
    os.mkfifo(folder / "pipe")
    (folder / "inner").mkdir()
    assert [kept.read(name) for name in ("link", "pipe", "inner")] == [None] * 3


def test_a_folder_that_is_a_link_is_not_read(folder: Path) -> None:
    kept.keep("a", CODE)
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to("elsewhere")
    assert kept.read("a") is None


def test_where_nothing_can_be_kept_a_kernel_is_compiled_in_memory(folder: Path) -> None:
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.write_text("a file where a folder would be")
    values = np.arange(5, dtype=np.float32)
    Kernel(double)(values)
    assert values.tolist() == [0, 2, 4, 6, 8]


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(Path, "home", no_home)
    kept.folder.cache_clear()
    kept.keep("a", CODE)
    assert kept.read("a") is None
    assert not Path("relative").exists()


def test_a_disk_that_is_full_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.keep("a", CODE)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    kept.keep("b", CODE)
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_torn_file_is_made_again(folder: Path) -> None:
    values = np.arange(3, dtype=np.float32)
    Kernel(double)(values)
    [path] = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    Kernel(double)(values)
    assert len(path.read_bytes()) == len(whole)
    assert kept.read(path.name) is not None
    assert values.tolist() == [0, 4, 8]
