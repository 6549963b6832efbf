"""Reading verbs on a registry that was edited by hand: an answer or one line, never a traceback, never without end."""

import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from lineal.cli.entry import main
from tests.lineage.edited import Edit, edits, filled, make, restored
from tests.storm.judging import Outcome, outcome

VERBS = tuple(
    tuple(line.split())
    for line in (
        "log", "log --all", "log --json", "log both --json --all", "list", "list --json", "show both",
        "show both --json",
        "show stated --json", "show stated", "show base", "show q4", "why lean", "why stated --json", "blame lean",
        "diff both lean", "ancestors lean --json",
        "descendants base", "roots", "leaves --json", "path base lean", "common lean q4", "tainted lean",
        "tainted --json", "licence lean", "licence q4 --json", "policy", "policy --json", "journal", "journal --json",
        "journal demo:both", "verify both", "verify-signature both", "bisect base lean --command true",
        "check", "check --json", "prove both model.embed_tokens.weight", "show demo:both@1.0.0", "show demo:both@t0",
        "show demo:both@staging", "show b3:0000000000",
    )
)  # fmt: skip
WRITING = tuple(
    tuple(line.split())
    for line in (
        "promote demo:both@1.0.0 production", "tag demo:both 2.0.0 --tag x", "taint code --reason x",
        "clear stated --reason x", "licence code --is mit", "rm q4 --yes", "policy demo --stage staging --remove",
    )
)  # fmt: skip
"""Those that read before they write."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("edited"))


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / "registry.db"))
    monkeypatch.setenv("COLUMNS", "160")
    return restored(template, tmp_path)


def wrong(said: Outcome) -> str:
    """What no answer may be."""
    if said.code not in (0, 1, 2, 3):
        return f"exit code {said.code}"
    return "a traceback" if "Traceback" in said.err + said.out else ""


def test_every_verb_answers_while_nothing_was_edited(place: Path):
    assert main(["check"]) == 0
    assert not {words: said for words in VERBS[:-1] if (said := outcome(words)).code not in (0, 1)}


def asked(template: Path, folder: Path, edit: Edit, verbs: Iterable[tuple[str, ...]]) -> list[str]:
    """What goes wrong when a registry with this edit is asked."""
    found: list[str] = []
    if not make(restored(template, folder), edit):
        return found
    for words in verbs:
        if words in WRITING:
            make(restored(template, folder), edit)
        try:
            said = wrong(outcome(words))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is none of lineal's
            said = repr(error)
        if said:
            found.append(f"{edit} ({edit.value:.40}): {' '.join(words)}: {said}")
    return found


def test_an_edit_of_any_column_is_an_answer_or_one_line(template: Path, place: Path):
    """One edit of each, and two verbs, drawn once and for all."""
    by_column: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits(template):
        by_column[f"{edit.table}.{edit.column}"].append(edit)
    draw = random.Random(14)
    drawn = [(draw.choice(tried), draw.sample(VERBS, 2)) for tried in by_column.values()]
    found = [fault for edit, verbs in drawn for fault in asked(template, place.parent, edit, verbs)]
    assert not found, "\n".join(found)


@pytest.mark.faults
def test_every_edit_of_every_column_is_an_answer_or_one_line(template: Path, place: Path):
    """Six verbs an edit: over all edits of a column, each of them."""
    draw = random.Random(15)
    verbs = (*VERBS, *WRITING)
    found = [fault for edit in edits(template) for fault in asked(template, place.parent, edit, draw.sample(verbs, 6))]
    assert not found, "\n".join(found)


def test_no_text_of_a_row_can_make_a_line_of_its_own(place: Path):
    """The value that is no evidence is quoted, shortened and escaped."""
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE step SET evidence = char(10) || 'lineal: all is well' || char(27) || '[2J'")
    said = outcome(("log", "--json"))
    assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
    assert "evidence (row 1) holds '\\nlineal: all is well\\x1b[2J', where one of contradicted, claimed" in said.err


@pytest.mark.parametrize(
    ("kind", "said"), [("pipe", "is not a lineal registry (no file)"), ("folder", "a folder, where a file is")]
)
def test_a_registry_that_is_no_file_is_refused(place: Path, kind: str, said: str):
    place.unlink()
    os.mkfifo(place) if kind == "pipe" else place.mkdir()
    for words in (("log",), ("check",), ("taint", "base", "--reason", "x"), ("add", ".")):
        answer = outcome(words)
        assert (answer.code, answer.out) == (3, "")
        assert said in answer.err


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_a_pipe_where_sqlite_keeps_a_file_is_refused(place: Path, suffix: str):
    os.mkfifo(place.with_name(f"{place.name}{suffix}"))
    answer = outcome(("log",))
    assert (answer.code, answer.out) == (3, "")
    assert f"registry.db{suffix} is not a file" in answer.err
