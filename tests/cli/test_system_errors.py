"""What the system, the registry's file or a pipe refuses reaches the user as one line that says what to do."""

import errno
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lineal.system_words import told
from tests.cli.conftest import Command
from tests.cli.test_verbs import error_of

RAW = re.compile(r"Errno|\[Errno|Error\b|sqlite|OperationalError|\.locks")
EVERY = sorted(
    {getattr(errno, name) for name in dir(errno) if name.startswith("E") and isinstance(getattr(errno, name), int)}
)


@pytest.mark.parametrize("number", EVERY, ids=lambda number: errno.errorcode[number])
def test_every_error_of_the_system_names_the_file_and_no_number(number: int) -> None:
    said = told(OSError(number, os.strerror(number), "models/m"))
    assert said.startswith("models/m: ")
    assert not RAW.search(said)
    assert len(said.splitlines()) == 1


def test_an_error_about_two_files_names_both() -> None:
    assert told(OSError(errno.EXDEV, "", "a", None, "b")) == "a -> b: the two places lie on different file systems"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("eval", "./a", "--data", "none.txt"), 3, "none.txt: no such"),
        (("log", "--svg", "none/tree.svg"), 3, "none/tree.svg: no such file or folder"),
        (("merge", "./a", "./b", "--method", "linear", "--out", "file/m"), 3, "file: a file stands where a folder is"),
        (("merge", "./a", "./b", "--method", "linear", "--out", "m" * 300), 3, "the name is too long"),
        (("add", "./a", "--registry", "file/registry.db"), 3, "no registry can be made at file/registry.db"),
        (("add", "./a", "--registry", "."), 3, "cannot be read: a folder, where a file is needed"),
        (("log", "--registry", "file"), 3, "not a lineal registry"),
        (("add", "./a", "--key", "none.pem"), 3, "none.pem: no such"),
        (("check-proof", "none.json"), 3, "none.json: no such"),
        (("merge", "odd.yml", "m"), 2, "odd.yml: not YAML: the character #x07 at 6 is not text"),
        (("run", "odd.yml"), 2, "odd.yml: not YAML: the character #x07 at 6 is not text"),
        (("bisect", "./a", "./b", "--command", "test '"), 2, "has a quotation that does not end"),
    ],
)
def test_what_the_system_refuses_is_one_line(lineal: Command, words: tuple[str, ...], code: int, said: str) -> None:
    Path("file").write_text("not a folder")
    Path("odd.yml").write_text("models\a: {}")
    lineal("add", "./a", "./b")
    answer = lineal(*words)
    assert said in error_of(answer)
    assert not RAW.search(answer.err)
    assert answer.code == code


def test_a_registry_that_another_process_holds_is_named_with_what_to_do(
    lineal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineal("add", "./a")
    monkeypatch.setattr("lineal.lineage.database.sqlite.WAIT_SECONDS", 0)
    with closing(sqlite3.connect(".lineal/registry.db", isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        answer = lineal("add", "./b")
    assert "registry.db: another process has been writing to it" in error_of(answer)
    assert not RAW.search(answer.err)
