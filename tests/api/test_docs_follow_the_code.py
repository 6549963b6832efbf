"""Tables and counts in the docs, against what the code has: what is added there must be told here."""

import re
from pathlib import Path

import typer

import lineal
from lineal.cli.app import app
from lineal.methods.catalogue import methods

DOCS = Path(__file__).parents[2] / "docs"
UNITS = ("", "-one", "-two", "-three", "-four", "-five", "-six", "-seven", "-eight", "-nine")
TENS = {20: "twenty", 30: "thirty"}
COUNTS = {tens + unit: word + UNITS[unit] for tens, word in TENS.items() for unit in range(10)}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def named(kind: str) -> set[str]:
    """Methods that are asked for by name; a recipe is a file."""
    return {name for (its_kind, name) in methods() if its_kind == kind and name != "recipe"}


def test_the_list_of_methods_is_whole() -> None:
    listed = re.findall(r"^([a-z-]+) {2,}([a-z_]+) {2,}[A-Z]", page("verbs/methods.md"), re.MULTILINE)
    assert set(listed) == {key for key in methods() if key[1] != "recipe"}


def test_the_table_of_merge_methods_is_whole_and_each_has_its_section() -> None:
    text = page("verbs/merge.md")
    table = text[text.index("| method |") : text.index("\n### ")]
    in_table = {
        name for cell in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert in_table == named("merge")
    headed = {name for line in re.findall(r"^### (.+)$", text, re.MULTILINE) for name in re.findall(r"\w+", line)}
    assert named("merge") <= headed


def test_the_counts_are_those_of_the_code() -> None:
    more = len(named("merge")) - 3
    assert f"`linear`, `slerp`, `ties` and {COUNTS[more]} more methods" in page("README.md")


def test_the_reference_has_every_public_name() -> None:
    told = re.findall(r"^::: lineal\.(\w+)$", page("reference.md"), re.MULTILINE)
    assert sorted(told) == sorted(set(lineal.__all__) - {"__version__"})


def test_every_verb_has_its_line_and_its_page() -> None:
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    told = {
        word
        for cell in re.findall(r"^\| \[([^\]]+)\]\(verbs/", page("README.md"), re.MULTILINE)
        for word in cell.split(", ")
    }
    assert verbs - {"help"} == told
    for link in re.findall(r"\]\((verbs/[\w-]+\.md)\)", page("README.md")):
        assert (DOCS / link).exists()
