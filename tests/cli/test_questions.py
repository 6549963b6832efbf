"""Questions on the command line: who comes from whom, why, what differs, what is this."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lineal.lineage.registry import Registry
from tests.builders import make_checkpoint, random_tensors
from tests.cli.conftest import Command, Run
from tests.databases import Database
from tests.lineage.families import ROOT, add_family, digest, step

RELATIVES = ["ancestors", "descendants", "common", "path", "roots", "leaves"]
VERBS = [*RELATIVES, "why", "blame", "diff", "find", "journal", "check", "tainted", "bisect"]


def labels(run: Run, *words: str) -> list[str]:
    code, out, _ = run(*words)
    assert code == 0
    return [line.split()[0] for line in out.splitlines()]


def test_relatives_nearest_first(registry: Registry, run: Run) -> None:
    hashes = add_family(registry)
    assert set(labels(run, "ancestors", "lean")) == {"both", "base", "code", "prose"}
    assert labels(run, "ancestors", "lean", "--limit", "1") == ["both"]
    assert set(labels(run, "descendants", "code")) == {"both", "small", "lean", "q4"}
    assert labels(run, "common", "code", "prose") == ["base"]
    assert labels(run, "path", "base", "lean")[-2:] == ["both", "lean"]
    assert labels(run, "roots") == labels(run, "roots", "lean") == ["base"]
    assert set(labels(run, "leaves")) == {"small", "lean", "q4"}
    (found,) = json.loads(run("common", "code", "prose", "--json")[1])
    assert found["model"] == f"b3:{hashes['base'].hex()}"
    assert (found["made_by"], found["evidence"]) == ("trained from scratch", "recorded")
    assert run("path", "base", "lean")[2] == "evidence: recorded\n"


def test_no_is_an_answer(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    _ = registry.record(step(digest("stranger"), digest("unknown")))
    stranger = f"b3:{digest('stranger').hex()}"
    assert run("path", "lean", "base") == (
        1, "", "lineal: base does not descend from lean, as far as is known here\n"
    )  # fmt: skip
    code, out, err = run("common", "lean", stranger)
    assert (code, out) == (1, "")
    assert "go back to nothing in common" in err
    assert "never added here" in run("ancestors", stranger)[1]


def test_why_is_told_in_sentences(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    out = run("why", "both")[1]
    assert out.splitlines()[-1] == "both was merged from code and prose with base as the base (ties density 0.2)."
    assert [reason["label"] for reason in json.loads(run("why", "both", "--json")[1])][-1] == "both"


def test_what_changed_is_told_by_blocks_and_roles(lineal: Command, tmp_path: Path) -> None:
    shapes = {f"model.layers.{i}.{role}.weight": (4,) for i in range(3) for role in ("mlp.up_proj", "norm")}
    tensors = random_tensors(1, {**shapes, "model.norm.weight": (4,)}, np.float32)
    changed = {name: -tensor if "0.mlp" in name or "1.mlp" in name else tensor for name, tensor in tensors.items()}
    for name, held in (("before", tensors), ("after", changed)):
        make_checkpoint(tmp_path / name, held)
        assert lineal("add", f"./{name}").code == 0
    told = lineal("diff", "before", "after").out.splitlines()
    assert told == ["outside blocks: 1 same", "blocks 0-1: 1 changed (mlp.up_proj), 1 same", "block 2: 2 same"]
    found = json.loads(lineal("diff", "before", "after", "--json").out)["tensors"]
    assert {(t["block"], t["role"]) for t in found if t["change"] == "changed"} == {
        (0, "mlp.up_proj"),
        (1, "mlp.up_proj"),
    }


def test_models_on_disk_are_compared_blamed_and_found(lineal: Command, tmp_path: Path) -> None:
    assert lineal("add", "./a", "./b").code == 0
    assert lineal("merge", "./a", "./b", "--method", "linear", "--out", "mean").code == 0
    same = lineal("diff", "a", "a")
    assert (same.code, same.out) == (0, "the weights are the same\n")
    differ = lineal("diff", "a", "mean")
    assert (differ.code, differ.out) == (1, "outside blocks: 2 changed (model.embed_tokens, model.norm)\n")
    assert differ.err == "lineal: a and mean differ\n"
    tensors = json.loads(lineal("diff", "a", "b", "--json").out)["tensors"]
    assert {tensor["change"] for tensor in tensors} == {"changed"}
    assert lineal("blame", "mean").out == "mean  2 tensors\n"
    assert json.loads(lineal("blame", "mean", "model.norm.weight", "--json").out)[0]["label"] == "mean"
    assert lineal("find", "./a").out == "a  this very model\n"
    (tmp_path / "a" / "tokenizer.json").unlink()
    assert lineal("find", "./a").out == "a  the same weights, with another config or tokenizer\n"
    unknown = lineal("find", "./c")
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err.endswith("lineal: no known model has a tensor of c\n")
    assert json.loads(lineal("find", "./c", "--json").out)["matches"] == []


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples(verb: str, run: Run) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"lineal {verb}" in out.split("Examples:")[1]


def test_questions_import_nothing_that_computes(place: str, registry: Registry) -> None:
    _ = add_family(registry)
    asked = [["ancestors", "both"], ["path", "base", "both"], ["why", "both"], ["blame", "both"], ["roots"]]
    program = f"""
import sys
from lineal.cli.entry import main
for words in {asked!r}:
    main([*words, "--registry", {place!r}])
print([name for name in ("numpy", "numba", "torch", "transformers") if name in sys.modules], file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stderr.endswith("[]\n")


def test_the_journal_and_its_check(database: Database, place: str, registry: Registry, run: Run) -> None:
    hashes = add_family(registry)
    out = run("journal", "both")[1]
    assert out.endswith(f"Z  demo:both is b3:{hashes['both'].hex()[:8]}\n")
    assert json.loads(run("journal", "--limit", "1", "--json")[1])[0]["name"] == "demo:q4"
    assert run("check") == (0, "7 models, 7 steps, 7 journal entries\n", "")
    assert json.loads(run("check", "--json")[1])["faults"] == []
    _ = database.run(place, "DELETE FROM journal WHERE id = 1")
    code, out, err = run("check")
    assert (code, out.splitlines()[0]) == (1, "journal: entry 1 is missing")
    assert err == "lineal: 1 things in the registry do not hold together\n"


def test_taints_stop_what_asks(registry: Registry, run: Run) -> None:
    _ = add_family(registry)
    assert run("tainted", "both", "lean") == (0, "", "")
    answer = run("taint", "code", "--reason", "leaked tests", "--source", "issue-214")
    assert answer == (0, "code is tainted, and 4 models that were made from it\n", "")
    code, out, err = run("tainted", "lean", "base", "code")
    assert (code, err) == (1, "lineal: 2 of 3 models are tainted\n")
    assert [line.split(", since")[0] for line in out.splitlines()] == [
        "lean, made from code: leaked tests (issue-214)",
        "code: leaked tests (issue-214)",
    ]
    (standing,) = json.loads(run("tainted", "--json")[1])
    assert (standing["tainted"], standing["reaches"]) == ("code", 4)
    assert "tainted          code: leaked tests" in run("show", "lean")[1]
    assert "is tainted: leaked tests" in run("journal", "--limit", "1")[1]
    assert run("clear", "lean", "--reason", "x")[2] == "lineal: lean has no taint of its own; it has those of code\n"
    assert run("clear", "code", "--reason", "replaced") == (0, "code is cleared\n", "")
    assert run("tainted", "lean")[0] == 0


def test_weights_are_measured_by_tensor_over_all_blocks(lineal: Command) -> None:
    assert lineal("add", "./a", "./b").code == 0
    assert lineal("diff", "a", "a", "--weights").code == 0
    answer = lineal("diff", "a", "b", "--weights")
    assert (answer.code, answer.err) == (1, "lineal: a and b differ\n")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["tensors", "changed", "norm", "relative", "entries", "rank"]
    assert lines[1].split()[:4] == ["model.embed_tokens.weight", "1", "of", "1"]
    assert {one["name"] for one in json.loads(lineal("diff", "a", "b", "--weights", "--json").out)} == {
        "model.embed_tokens.weight",
        "model.norm.weight",
    }


@pytest.mark.parametrize(
    "words", [("find", "./a"), ("diff", "a", "b", "--weights"), ("bisect", "a", "b", "--command", "true"), ("why", "a")]
)
def test_a_registry_that_is_not_there_is_not_made(lineal: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = lineal(*words, "--registry", "nowhere/registry.db")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("lineal: no registry at nowhere/registry.db")
    assert not (tmp_path / "nowhere").exists()


def test_a_registry_that_is_asked_for_and_not_there_is_not_made_by_verify(lineal: Command, tmp_path: Path) -> None:
    assert lineal("merge", "./a", "./b", "--method", "linear", "--out", "mean").code == 0
    answer = lineal("verify", "./mean", "--registry", "mistyped.db")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("lineal: no registry at mistyped.db")
    assert not (tmp_path / "mistyped.db").exists()
