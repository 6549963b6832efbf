"""docs/architecture.md answers a newcomer's questions with files: they are there, and the folders it names are all."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:src|tests|docs)/[\w./]+)`", PAGE)))
ROOMS = sorted(path.parent.name for path in (ROOT / "src" / "lineal").glob("*/__init__.py"))


@pytest.mark.parametrize("path", NAMED)
def test_a_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE))))
def test_a_path_within_the_package_is_there(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "src" / "lineal" / path).exists()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_told_of(room: str) -> None:
    assert f"`{room}/`" in PAGE


def test_the_questions_are_answered() -> None:
    assert len(NAMED) >= 25
    for question in ("TIES", "a tensor's hash", "the resume journal", "a merge method", "a GGUF block type", "a verb"):
        assert f"| {question} |" in PAGE
