"""All that is shown goes through one gate: what others wrote is text on one line, and nothing a terminal obeys."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lineal
from lineal.cli import terminal
from lineal.errors import CheckpointError, RecipeError
from lineal.shown import LONGEST_LINE, SHOWN, printable, quoted
from tests.builders import make_checkpoint, random_tensors
from tests.cli.conftest import Command

SOURCE = Path(lineal.__file__).parent
GATE = {"cli/terminal.py", "cli/tables.py", "cli/lines.py", "cli/progress_bars.py"}
ODD = "odd\x1b[31m\u202e\u2028\x85[bold]x[/bold]:tada:\nlineal: forged"
SHAPES = {"model.embed_tokens.weight": (12, 8), f"model.{ODD}.weight": (8,)}


def bypasses(file: Path) -> list[str]:
    """What in a module of lineal writes to a terminal by itself."""
    found: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id="print" | "breakpoint"):
                found.append(f"{node.lineno}: {node.id}")
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"):
                found.append(f"{node.lineno}: sys.{node.attr}")
            case ast.Attribute(value=ast.Name(id="typer" | "click"), attr="echo" | "secho" | "echo_via_pager"):
                found.append(f"{node.lineno}: {node.attr}")
            case ast.Attribute(value=ast.Name(id="traceback"), attr="print_exception" | "print_exc"):
                found.append(f"{node.lineno}: traceback.{node.attr}")
            case ast.ImportFrom(module=str(name)) if name.split(".")[0] in ("rich", "logging"):
                found.append(f"{node.lineno}: from {name}")
            case ast.Import(names=names) if {"rich", "logging"} & {one.name.split(".")[0] for one in names}:
                found.append(f"{node.lineno}: import {names[0].name}")
            case ast.FormattedValue(conversion=114):
                found.append(f"{node.lineno}: !r, which quotes without a bound")
            case _:
                pass
    return found


def test_nothing_is_shown_but_through_the_gate() -> None:
    files = {str(file.relative_to(SOURCE)): file for file in SOURCE.rglob("*.py")}
    beside = {name: found for name, file in files.items() if name not in GATE and (found := bypasses(file))}
    assert beside.pop("shown.py") and not beside  # which is where !r has its bound


def test_a_bypass_is_seen(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "import sys, logging\nfrom rich.table import Table\nprint(1)\nsys.stderr.write('x')\nf'{1!r}'\n"
    )
    assert len(bypasses(tmp_path / "x.py")) == 5


@pytest.fixture
def kitchen(tmp_path: Path, lineal: Command) -> Path:
    """Models of which every name that can be odd is."""
    for seed, name in enumerate(("left", "right")):
        folder = make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES, np.float32))
        (folder / f"helper{ODD.replace('/', '')}.py").write_text(f"x = {seed}\n")
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / f"{ODD.replace('/', '')}.jinja").write_text(name)
    (tmp_path / f"data{ODD.replace('/', '')}.jsonl").write_text('{"text": "x"}\n')
    return tmp_path


def test_names_in_files_are_shown_as_text_by_every_verb(kitchen: Path, lineal: Command) -> None:
    data = next(kitchen.glob("data*"))
    asked = [
        ("add", "./left", "--name", "k:left"),
        ("merge", "k:left", "./right", "--method", "linear", "--weights", "[0.5, 0.5]", "--out", "mean"),
        ("merge", "k:left", "./right", "--method", "linear", "--out", "mean", "--dry-run"),
        ("show", "mean"),
        ("log",),
        ("diff", "k:left", "mean"),
        ("diff", "k:left", "mean", "--weights"),
        ("blame", "mean"),
        ("blame", "mean", f"model.{ODD}.weight"),
        ("prove", "mean", f"model.{ODD}.weight"),
        ("find", "./left"),
        ("find", str(data)),
        ("licence", "--data", str(data), "--is", "mit"),
        ("taint", "k:left", "--reason", ODD, "--source", ODD),
        ("tainted", "mean"),
        ("tainted",),
        ("journal",),
        ("why", "mean"),
        ("verify", "mean"),
        ("verify", ODD),
        ("show", ODD),
        ("run", ODD),
        ("merge", "k:left", ODD, "--method", ODD, "--out", "x"),
        ("merge", "k:left", "./right", "--method", "linear", f"--{ODD}", "1", "--out", "x"),
        ("add", f"./{ODD}"),
        (ODD,),
    ]
    for words in asked:
        answer = lineal(*words)
        shown = answer.out + answer.err
        assert shown, words
        assert all(line.isprintable() for line in shown.split("\n")), (words, shown)
        assert "\nlineal: forged" not in shown, words
        assert answer.code in (0, 1, 2, 3), (words, shown)


def test_mark_up_in_a_name_is_text_in_tables_and_trees(kitchen: Path, lineal: Command) -> None:
    assert lineal("add", "./left").code == lineal("add", "./right").code == 0
    measured = lineal("diff", "left", "right", "--weights").out
    assert f"model.{printable(ODD)}.weight" in measured


def test_json_gives_the_very_texts_and_shows_none_of_them(kitchen: Path, lineal: Command) -> None:
    assert lineal("add", "./left").code == lineal("add", "./right").code == 0
    shown = lineal("diff", "left", "right", "--json").out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert f"model.{ODD}.weight" in {tensor["name"] for tensor in json.loads(shown)["tensors"]}


def test_what_json_escapes_is_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a\x7f": ["\u202e", "\U000e0001", "\ud800", "line\nbreak", "gr\u00fcn \U0001f389"]}
    terminal.print_json(value)
    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == value
    assert "gr\u00fcn" in shown


def test_running_text_keeps_its_lines_and_joiners_and_turns_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_piece("a\n\tb\u200d\x1b[2J\u202e\r\x07")
    assert capsys.readouterr().out == "a\n\tb\u200d\\x1b[2J\\u202e\\r\\x07"


def test_an_error_quotes_a_part_of_what_was_found() -> None:
    assert quoted("x" * SHOWN) == repr("x" * SHOWN)
    assert quoted("x" * 10**6) == repr("x" * SHOWN) + "..."
    assert len(quoted(list(range(10**5)))) == SHOWN + 3
    assert len(str(CheckpointError("x" * 10**6))) == LONGEST_LINE + 3


def test_an_error_has_the_lines_it_was_made_of_and_no_others() -> None:
    error = RecipeError("a: \x1b[31m\nlineal: forged", "b")
    assert error.lines == ("a: \\x1b[31m\\nlineal: forged", "b")
    assert str(error).count("\n") == 1


def test_long_values_are_cut_in_what_is_said_of_them(kitchen: Path, lineal: Command) -> None:
    config = json.loads((kitchen / "left" / "config.json").read_text())
    (kitchen / "left" / "config.json").write_text(json.dumps({**config, "model_type": "y" * 100_000}))
    long = "z" * 5000
    for words in (
        ("prune", "./left", "--sparsity", "0.5", "--out", "x"),
        ("show", long),
        ("merge", long, "--out", "y"),
    ):
        answer = lineal(*words)
        assert answer.code in (2, 3)
        assert 0 < len(answer.err) < LONGEST_LINE + 100


def program(folder: Path, *words: str, stdout: int, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lineal", *words],
        cwd=folder,
        env={**os.environ, "LINEAL_REGISTRY": str(folder / "registry.db"), **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("methods",), ("methods", "--json"), ("--help",), ("list",)])
def test_a_reader_that_has_gone_is_no_error(kitchen: Path, lineal: Command, words: tuple[str, ...]) -> None:
    assert lineal("add", "./left").code == 0
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = program(kitchen, *words, stdout=writing, LINEAL_REGISTRY=str(kitchen / ".lineal" / "registry.db"))
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_stdout_is_one_line(kitchen: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = program(kitchen, "methods", stdout=full.fileno())
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert "no room left" in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_stdout_will_do(kitchen: Path, lineal: Command, encoding: str) -> None:
    (kitchen / "left" / "model\u2192.py").write_text("x = 1\n")
    assert lineal("add", "./left").code == lineal("add", "./right").code == 0
    registry = str(kitchen / ".lineal" / "registry.db")
    for words in (("diff", "left", "right"), ("diff", "left", "right", "--json"), ("methods",), ("log",)):
        ended = program(kitchen, *words, stdout=subprocess.PIPE, PYTHONIOENCODING=encoding, LINEAL_REGISTRY=registry)
        assert ended.returncode in (0, 1), ended.stderr
        if "--json" in words:
            assert "model\u2192.py" in json.loads(ended.stdout)["package"]


def test_a_word_that_is_not_utf8_is_a_usage_error_of_every_verb(lineal: Command) -> None:
    for words in (("add", "./\udcff"), ("eval", "./a", "--text", "\udcff.txt"), ("\udcff",), ("show", "x", "--\udcff")):
        answer = lineal(*words)
        assert (answer.code, answer.out) == (2, "")
        assert "is not UTF-8: rename what it stands for" in answer.err
