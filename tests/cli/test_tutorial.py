"""docs/tutorial.md: its files are written and its commands run as they stand there, with fewer tokens to learn from."""

import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.cli.entry import main

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
FEWER = {
    "tokens: 300k": "tokens: 6k",
    "tokens: 60k": "tokens: 3k",
    "code[2::60]": "[code[2][:3000]]",
    "prose[2::30]": "[prose[2][:3000]]",
}
SPEAKING = ("generate", "use.py")
"""What a model says is another's with other training."""


def blocks() -> Iterator[tuple[str | None, str]]:
    """The tutorial's files with their names, and its commands with what they show, in order."""
    for kind, title, text in re.findall(r'```(\w+)(?: title="([^"]+)")?\n(.*?)```', PAGE, re.DOTALL):
        if title:
            yield title, text
        elif kind == "console":
            yield None, text


def with_fewer_tokens(text: str) -> str:
    for written, fewer in FEWER.items():
        text = text.replace(written, fewer)
    return text


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block, and the lines that it shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield command, shown


def run(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """lineal and Python in this process, which has loaded torch; anything else by the shell."""
    words = shlex.split(command.partition(" 2>")[0])
    if words[0] == "lineal":
        code = main(words[1:])
    elif words[0] == "python":
        runpy.run_path(words[1], run_name="__main__")
        code = 0
    else:
        ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout
    told = capsys.readouterr()
    return code, told.out + told.err


def beginning(line: str) -> str:
    """A line up to the first figure, hash or omission, which are another's elsewhere."""
    return re.split(r"\d|b3:|\.\.\.", line)[0].rstrip()


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers about what PEFT asks it
def test_the_tutorial_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / ".lineal" / "registry.db"))
    monkeypatch.setenv("COLUMNS", "200")
    code, ran = 0, 0
    for title, text in blocks():
        if title:
            Path(title).write_text(with_fewer_tokens(text), encoding="utf-8")
            continue
        for command, shown in commands(text):
            if command == "echo $?":
                assert shown == [str(code)]
                continue
            code, said = run(command, capsys)
            ran += 1
            if not any(word in command for word in SPEAKING):
                squeezed = " ".join(said.split())
                for line in shown:
                    assert " ".join(beginning(line).split()) in squeezed, f"{command}: {line}\n{said}"
    assert ran >= 20
