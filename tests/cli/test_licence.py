"""lineal licence, and licences in show, why and journal."""

import json
from pathlib import Path

import pytest

from lineal.lineage.registry import Registry
from tests.cli.conftest import Command, Run
from tests.cli.test_imports import HEAVY, loaded_by
from tests.lineage.families import add_family, digest


def test_a_licence_is_shown_with_its_ways_and_exits_1_on_a_conflict(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    code, out, _ = run("licence", "base", "--is", "Apache-2.0")
    assert (code, out.splitlines()) == (
        0,
        [
            "base: apache-2.0 AND unknown",
            "  base is apache-2.0 (attribution): stated",
            "  base <- all.txt is unknown: said by nobody",
        ],
    )
    assert run("licence", "--data", "all.txt", "--is", "mit") == (0, "all.txt: mit\n", "")
    assert run("licence", "--data", "code.jsonl", "--is", "gpl-3.0")[0] == 0
    assert run("licence", "--data", f"b3:{digest('prose.jsonl').hex()}", "--is", "cc-by-nc-4.0")[0] == 0
    assert run("licence", "code")[1].splitlines() == [
        "code: gpl-3.0",
        "  code <- code.jsonl is gpl-3.0 (share-alike): stated",
        "  code <- base is apache-2.0 (attribution): stated",
        "  code <- base <- all.txt is mit (attribution): stated",
    ]
    code, out, err = run("licence", "both")
    assert (code, out.splitlines()[0]) == (1, "both: cc-by-nc-4.0 AND gpl-3.0")
    assert err.startswith(
        "lineal: both: licence conflict: both <- code <- code.jsonl is gpl-3.0 (share-alike), both <- "
    )
    told = json.loads(run("licence", "both", "--json")[1])
    assert [[one["path"] for one in conflict["between"]] for conflict in told["conflicts"]] == [
        [["both", "code", "code.jsonl"], ["both", "prose", "prose.jsonl"]]
    ]
    assert told["contributions"][2]["terms"] == ["attribution", "share-alike"]


def test_an_override_is_shown_everywhere_and_can_be_withdrawn(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    said = ("--override", "mit", "--because", "the authors agreed")
    assert run("licence", "both", *said) == (0, "both: mit\n  overridden: the authors agreed\n", "")
    assert "licence          mit (attribution), overridden: the authors agreed\n" in run("show", "both")[1]
    assert "Its licence was overridden: mit, because the authors agreed." in run("why", "both")[1]
    assert " is mit, overridden: the authors agreed\n" in run("journal", "--limit", "1")[1]
    override = {"licence": "mit", "because": "the authors agreed"}
    assert json.loads(run("show", "both", "--json")[1])["terms"]["override"] == override
    assert run("licence", "both", "--withdraw")[0] == 0
    assert "has no stated licence" in run("journal", "--limit", "1")[1]
    assert run("licence", "both", "--withdraw")[2].startswith("lineal: nothing was stated of both")
    assert run("check")[0] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "a model is needed, or --data"),
        (("both", "--data", "code.jsonl"), "a model is needed, or --data"),
        (("both", "--override", "mit"), "--override and --because go together"),
        (("both", "--because", "mit"), "--override and --because go together"),
        (("both", "--is", "mit", "--withdraw"), "one at a time"),
        (("--data", "code.jsonl", "--withdraw"), "is stated with --is"),
        (("both", "--is", "my own"), "'my own' is not a licence"),
        (("both", "--override", "mit", "--because", " "), "needs a reason"),
        (("--data", "nothing.txt"), "no data file is called 'nothing.txt', neither on this disk nor"),
        (("--data", "b3:00000000"), "no data file is called 'b3:00000000'"),
        (("boht",), "did you mean demo:both?"),
    ],
)
def test_what_cannot_be_meant_is_refused(registry: Registry, run: Run, words: tuple[str, ...], complaint: str) -> None:
    _ = add_family(registry)
    code, out, err = run("licence", *words)
    assert (code, out) == (2, "")
    assert complaint in err


def test_a_one_off_verb_stops_at_a_conflict_and_records_an_override(lineal: Command, tmp_path: Path) -> None:
    for name, licence in {"a": "gpl-3.0", "b": "gemma"}.items():
        (tmp_path / name / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
    merge = ("merge", "./a", "./b", "--method", "linear", "--out", "mean")
    refused = lineal(*merge)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("lineal: mean: licence conflict: mean <- ./a is gpl-3.0")
    assert lineal(*merge, "--dry-run").code == 1
    assert not (tmp_path / "mean").exists()
    assert lineal(*merge, "--licence-override", "mit").code == 2
    assert lineal(*merge, "--licence-override", "mit: they agreed").code == 0
    assert lineal("licence", "mean").out == "mean: mit\n  overridden: they agreed\n"
    assert lineal("prune", "mean", "--sparsity", "0.5", "--out", "lean").code in (0, 2, 3)


def test_the_verb_loads_nothing_that_computes(registry: Registry, place: str, tmp_path: Path) -> None:
    _ = add_family(registry)
    assert loaded_by(tmp_path, "licence", "both", "--registry", place).isdisjoint(HEAVY)
