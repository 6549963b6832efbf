"""lineal adopt and lineal import: what they print, and their exit codes."""

import json
from pathlib import Path

import pytest

from lineal.lineage.registry import Registry
from tests.builders import make_checkpoint
from tests.cli.conftest import Run
from tests.llamas import CONFIG
from tests.trained_llamas import trained_like, tuned, with_lora

BASE = trained_like(1, num_hidden_layers=1)


@pytest.fixture
def place(tmp_path: Path, registry: Registry, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a known base in it, a merged LoRA that nobody knows, and a stranger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, tensors in {
        "base": BASE,
        "unknown": with_lora(BASE, 2, 4, "q_proj", "v_proj"),
        "stranger": trained_like(3, num_hidden_layers=1),
    }.items():
        make_checkpoint(tmp_path / name, tensors, CONFIG)
    assert run("add", "./base", "--name", "zoo:base")[0] == 0
    return tmp_path


@pytest.mark.usefixtures("place")
def test_the_likeliest_step_is_kept_and_shown_with_its_grade(run: Run) -> None:
    code, out, _ = run("adopt", "./unknown")
    assert code == 0
    assert "fine-tune r=4" in out
    assert "2 matrices differ by rank 4 at most: a LoRA merged into it" in out
    assert "inferred r=4" in run("log", "--json")[1]
    shown = run("show", "unknown")[1]
    assert "a LoRA merged into it" in shown
    assert "by weights, score 0.9" in shown
    assert "That is inferred from the weights: " in run("why", "unknown")[1]
    assert json.loads(run("show", "unknown", "--json")[1])["steps"][0]["inference"]["method"] == "weights"
    assert "inferred, not recorded: nothing to recompute" in run("verify", "unknown")[1]
    assert run("check")[0] == 0


@pytest.mark.usefixtures("place")
def test_a_dry_run_keeps_nothing(run: Run, registry: Registry) -> None:
    code, out, _ = run("adopt", "./unknown", "--dry-run", "--json")
    assert code == 0
    answer = json.loads(out)
    assert not answer["kept"]
    assert [used["label"] for used in answer["ranking"][0]["inputs"]] == ["base"]
    assert not any(name.name == "unknown" for name in registry.names())


@pytest.mark.usefixtures("place")
def test_without_a_parent_the_exit_code_is_1_and_nothing_is_kept(run: Run, registry: Registry) -> None:
    code, out, err = run("adopt", "./stranger")
    assert code == 1
    assert "unrelated" in out
    assert err == "lineal: no known model is the parent of ./stranger, as far as the weights tell\n"
    assert [str(name) for name in registry.names()] == ["zoo:base"]


def test_a_relation_that_is_no_parent_is_told(run: Run, place: Path) -> None:
    make_checkpoint(place / "tuned", tuned(BASE, 4), CONFIG)
    make_checkpoint(place / "other", tuned(BASE, 5), CONFIG)
    assert run("add", "./tuned")[0] == 0
    assert run("adopt", "./other", "--json")[0] == 0
    code, _, err = run("adopt", "base")
    assert code == 1
    assert err.endswith("; the nearest is tuned, sibling or parent\n")


def test_claims_are_kept_and_unresolved_parents_shown(run: Run, place: Path) -> None:
    (place / "unknown" / "README.md").write_text("---\nbase_model: org/big\nlicense: mit\n---\n")
    code, out, _ = run("import", "./unknown")
    assert (code, out) == (0, "unknown  fine-tune of org/big (unresolved), as README.md says\n")
    assert "claimed" in run("log")[1]
    assert "unresolved" in run("show", "org:big")[1]
    assert run("check")[0] == 0


def test_what_claims_nothing_is_said_after_what_does(run: Run, place: Path) -> None:
    (place / "unknown" / "README.md").write_text("---\nbase_model: zoo/base\n---\n")
    code, out, err = run("import", "./unknown", "./stranger", "--json")
    assert code == 1
    (one,) = json.loads(out)
    assert one["parents"][0]["resolved"]
    assert err.startswith("lineal: stranger: no mergekit_config.yml")
