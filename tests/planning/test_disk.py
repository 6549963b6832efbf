"""What does not fit is said before it is begun, a line a file system."""

import shutil
from pathlib import Path

from lineal.planning.disk import without_room


def test_what_fits_is_not_mentioned(tmp_path: Path) -> None:
    assert without_room([(tmp_path / "not" / "there", 1)]) == []


def test_writes_to_one_file_system_are_counted_together(tmp_path: Path) -> None:
    half = shutil.disk_usage(tmp_path).free // 2
    assert without_room([(tmp_path / "a", half // 2), (tmp_path / "b", half // 2)]) == []
    (line,) = without_room([(tmp_path / "a", 2 * half), (tmp_path / "b", 2 * half)])
    assert line.startswith(f"{tmp_path}: does not fit: {4 * half:,} bytes to write, ")
