"""Bisection with models on a disk."""

import sys
from pathlib import Path

import pytest

from lineal.errors import UsageError
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Session
from lineal.family.trust.bisect import bisect, by_command, by_text
from tests.family.conftest import write_family

FAMILY = """
family: small
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
  one: {merge: {parents: [a, b], method: slerp, t: 0.25}}
  two: {merge: {parents: [one, b], method: slerp, t: 0.25}}
  three: {merge: {parents: [two, c], method: slerp, t: 0.25}}
  four: {merge: {parents: [three, a], method: slerp, t: 0.25}}
"""


@pytest.fixture
def hashes(session: Session, parents: Path) -> dict[str, bytes]:
    built = run_family(session, read_family(write_family(parents, FAMILY)), parents / "models")
    return {name: local.model_hash for name, local in built.items()}


def judge(names: str, folder: Path, *, other: int = 0) -> str:
    """A command that exits with 1 for folders of these names."""
    script = folder / "judge.py"
    script.write_text(
        "import sys, pathlib\n"
        f"name = pathlib.Path(sys.argv[1]).name\nsys.exit(1 if name in {names.split()!r} else {other})\n"
    )
    return f"{sys.executable} {script}"


def test_a_command_finds_the_first_bad_model(session: Session, hashes: dict[str, bytes], parents: Path) -> None:
    command = judge("two three four", parents)
    found = bisect(session, hashes["a"], hashes["four"], by_command(command))
    assert (found.first_bad, found.suspects) == (hashes["two"], (hashes["two"],))
    assert found.tried <= 4
    again = bisect(session, hashes["a"], hashes["four"], by_command(command + " {}"))
    assert again.first_bad == hashes["two"]


def test_a_parent_from_outside_can_be_the_culprit(session: Session, hashes: dict[str, bytes], parents: Path) -> None:
    found = bisect(session, hashes["a"], hashes["four"], by_command(judge("c three four", parents)))
    assert found.suspects == (hashes["c"],)


def test_what_cannot_be_told_or_lies_nowhere_is_skipped(
    session: Session, hashes: dict[str, bytes], parents: Path
) -> None:
    found = bisect(session, hashes["a"], hashes["four"], by_command(judge("", parents, other=125)))
    assert (found.first_bad, len(found.suspects)) == (hashes["four"], 6)
    (parents / "models" / "two").rename(parents / "gone")
    found = bisect(session, hashes["a"], hashes["four"], by_command(judge("two three four", parents)))
    assert set(found.suspects) == {hashes["two"], hashes["three"]}


def test_commands_that_cannot_be_run_and_texts_that_are_not_there_are_refused(
    session: Session, hashes: dict[str, bytes]
) -> None:
    with pytest.raises(UsageError, match="the command is empty"):
        by_command("  ")
    with pytest.raises(UsageError, match="no text"):
        by_text(session, hashes["a"], hashes["four"], Path("nowhere.txt"))
