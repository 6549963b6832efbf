"""What a command writes replaces nothing of another kind, and appears whole or not at all."""

from pathlib import Path

import pytest

from lineal.checkpoint.written.output_file import write_new, write_output
from lineal.errors import StorageError, UsageError


def is_drawn(text: str) -> bool:
    return text.startswith("<svg")


def test_only_a_file_of_its_kind_is_replaced_and_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "tree.svg"
    write_output(path, "<svg>1", "a picture", is_drawn)
    with pytest.raises(UsageError, match="exists; --force replaces it"):
        write_output(path, "<svg>2", "a picture", is_drawn)
    assert path.read_text() == "<svg>1"
    write_output(path, "<svg>2", "a picture", is_drawn, force=True)
    assert path.read_text() == "<svg>2"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"GGUF\3\0\0\0", b"\x40\0\0\0\0\0\0\0{}", b"SQLite format 3\0", b""])
def test_what_is_of_another_kind_stays_even_with_force(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="exists and is not a picture of lineal's"):
        write_output(path, "<svg>", "a picture", is_drawn, force=True)
    assert path.read_bytes() == content


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError, match="is a link; name the file itself"):
        write_output(tmp_path / "link", "<svg>", "a picture", is_drawn, force=True)
    with pytest.raises(UsageError, match="exists"):
        write_new(tmp_path / "link", "text")
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"tree\.svg: no such file or folder"):
        write_output(tmp_path / "none" / "tree.svg", "<svg>", "a picture", is_drawn)
