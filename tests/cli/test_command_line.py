"""The command line itself: help, version, completion, and what is said of a line that cannot be read."""

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import lineal as package
from lineal.cli.app import app
from lineal.cli.verbs import SECTIONS
from lineal.methods.catalogue import methods
from tests.cli.conftest import Command
from tests.cli.test_verbs import error_of

VERBS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
NUMBERS = [
    (verb, option)
    for verb, command in VERBS.items()
    for parameter in command.params
    if parameter.type_descriptor.annotation in (int, float)
    for option in parameter.opts
    if option.startswith("--")
]


def completed(words: str) -> list[str]:
    """What the shell offers behind these words."""
    script = "import sys; from lineal.cli import main; sys.exit(main())"
    asked = {"_LINEAL_COMPLETE": "complete_bash", "COMP_WORDS": f"lineal {words}"}
    place = str(len(f"lineal {words}".split(" ")) - 1)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **asked, "COMP_CWORD": place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_version_is_that_of_the_installed_package(lineal: Command) -> None:
    assert lineal("--version").out == f"lineal {package.__version__}\n"


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_has_a_short_form_and_a_verb_of_its_own(lineal: Command, verb: str) -> None:
    words = [verb] if verb else []
    told = lineal(*words, "--help").out
    assert told
    assert lineal(*words, "-h").out == told
    assert lineal("help", *words).out == told


def test_the_list_of_verbs_says_what_the_verbs_say_themselves(lineal: Command) -> None:
    said = {name: inspect.cleandoc(command.help).partition("\n\n")[0] for name, command in VERBS.items()}
    assert said == {name: summary for verbs in SECTIONS.values() for name, summary in verbs.items()}
    told = " ".join(lineal("help").out.split())
    assert all(" ".join(summary.split()) in told for summary in said.values())


def test_help_loads_no_verb() -> None:
    program = (
        "import sys; from lineal.cli.entry import main; main(['--help']); print('lineal.cli.merge' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False"


def test_the_shell_completes_verbs_options_and_names_of_models(lineal: Command) -> None:
    assert completed("mer") == ["merge"]
    assert completed("show --js") == ["--json"]
    assert completed("show ") == []
    assert not Path(".lineal").exists()
    lineal("add", "a", "b", "--registry", os.environ["LINEAL_REGISTRY"])
    assert completed("show ") == ["a", "b"]
    assert completed("merge a ") == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("finetune", "./a", "--rnak", "4"), "no such option --rnak (did you mean --rank?)"),
        (("prune", "./a", "--otu", "m"), "no such option --otu (did you mean --out?)"),
        (("prune", "./a", "--sparsity", "0.5", "--out", "m", "--drry-run"), "--drry-run (did you mean --dry-run?)"),
        (("merge", "./a", "./b", "--densty", "0.2"), "no such option --densty (did you mean --density?)"),
        (("merge", "./a", "./b", "--method=linear", "--density", "1"), "no such option --density"),
        (("distill", "./a", "--studnet", "./b"), "no such option --studnet (did you mean --student?)"),
        (("help", "mergee"), "no such verb 'mergee' (did you mean merge?)"),
        (("merge", "./a", "./b", "--method", "ties", "--base", "./c", "--density", "--out", "m"), "needs a value"),
    ],
)
def test_what_is_mistyped_is_named_before_what_is_missed_for_it(
    lineal: Command, words: tuple[str, ...], said: str
) -> None:
    answer = lineal(*words)
    assert said in error_of(answer)
    assert answer.code == 2


@pytest.mark.parametrize(("verb", "option"), NUMBERS)
def test_a_word_in_place_of_a_number_is_told_in_our_own_words(lineal: Command, verb: str, option: str) -> None:
    said = error_of(lineal(verb, option, "many", "x", "y"))
    assert f"{option} must be a" in said
    assert "got 'many'" in said


def test_there_are_options_of_numbers() -> None:
    assert len(NUMBERS) > 10


def test_a_bare_name_of_a_folder_says_how_it_is_written(lineal: Command) -> None:
    assert "a folder ./a is here: write ./a" in error_of(
        lineal("merge", "a", "./b", "--method", "linear", "--out", "m")
    )
    Path("family.yaml").write_text("models: {mean: {merge: {parents: [a, ./b], method: linear}}}")
    assert "unknown model 'a' (a folder ./a is here: write ./a)" in error_of(lineal("run"))


def test_a_scheme_in_capitals_is_the_same_derivation(lineal: Command) -> None:
    answers = [lineal("quantize", "./a", "--scheme", scheme, "--out", "m", "--dry-run") for scheme in ("Q8_0", "q8_0")]
    assert answers[0] == answers[1]


def test_no_line_of_a_table_is_wrapped_where_nobody_has_a_terminal(
    lineal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert len(lineal("methods").out.splitlines()) == len(methods()) + 1
    name = "a" * 100
    plan = lineal("merge", "./a", "./b", "--method", "linear", "--out", name, "--dry-run").out.splitlines()
    assert plan[1].startswith(name)
    assert "to build" in plan[1]
