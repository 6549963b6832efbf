"""Data files on the command line: descendants, find, taint, tainted, clear."""

import json
from pathlib import Path

import pytest

from lineal.lineage.registry import Registry
from tests.cli.conftest import Run
from tests.lineage.families import add_family


def test_what_was_made_on_a_file_is_listed(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    out = run("descendants", "--data", "prose.jsonl")[1]
    assert {line.split()[0] for line in out.splitlines()} == {"prose", "both", "small", "lean", "q4"}
    assert len(run("descendants", "--data", "prose.jsonl", "--limit", "2")[1].splitlines()) == 2


def test_a_file_on_disk_is_found_by_its_content(registry: Registry, run: Run, tmp_path: Path) -> None:
    _ = add_family(registry)
    (tmp_path / "some.txt").write_text("prose.jsonl")  # whose digest is that of the name in the family
    (tmp_path / "scores.txt").write_text("prose")
    (tmp_path / "other.txt").write_text("?")
    assert run("find", str(tmp_path / "some.txt")) == (
        0, "some.txt: data of prose\nsome.txt: through them in both, small, lean, q4\n", "",
    )  # fmt: skip
    assert run("find", str(tmp_path / "scores.txt"))[1] == "scores.txt: scored on it: base, code, prose, both\n"
    told = json.loads(run("find", str(tmp_path / "some.txt"), "--json")[1])
    assert (told["made_on"], told["scored_on"]) == (["prose"], [])
    code, out, err = run("find", str(tmp_path / "other.txt"))
    assert (code, out) == (1, "")
    assert "no known model was made or scored on" in err


def test_a_data_file_is_tainted_and_cleared_with_all_that_was_made_on_it(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    assert run("taint", "--data", "prose.jsonl", "--reason", "leaked", "--source", "x") == (
        0, "prose.jsonl is tainted, and 5 models that were made on it or from those\n", "",
    )  # fmt: skip
    code, out, err = run("tainted", "lean", "prose", "code")
    assert (code, err) == (1, "lineal: 2 of 3 models are tainted\n")
    lines = out.splitlines()
    assert lines[0].startswith("lean, made from prose, which was made on prose.jsonl: leaked (x), since ")
    assert lines[1].startswith("prose, which was made on prose.jsonl: leaked (x), since ")
    assert run("tainted")[1].endswith(", with 5 models made on it or from those\n")
    assert "tainted          prose.jsonl, which prose was made on: leaked" in run("show", "both")[1]
    assert run("clear", "prose", "--reason", "x")[2].endswith("has no taint of its own; it has those of prose.jsonl\n")
    assert run("clear", "--data", "prose.jsonl", "--reason", "mended") == (0, "prose.jsonl is cleared\n", "")
    assert run("clear", "--data", "prose.jsonl", "--reason", "mended")[2] == "lineal: prose.jsonl is not tainted\n"
    assert run("tainted") == (0, "", "")
    assert " is tainted: leaked\n" in run("journal")[1]
    assert run("check")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("taint", "--reason", "x"),
        ("taint", "both", "--data", "code.jsonl", "--reason", "x"),
        ("taint", "--data", "nothing.txt", "--reason", "x"),
        ("taint", "--data", "code.jsonl"),
        ("clear", "--reason", "x"),
        ("descendants",),
        ("descendants", "both", "--data", "code.jsonl"),
    ],
)
def test_what_cannot_be_meant_is_refused(registry: Registry, run: Run, words: tuple[str, ...]) -> None:
    _ = add_family(registry)
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
