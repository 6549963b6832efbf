"""lineal tag and lineal promote, and versions wherever a model is named or shown."""

import json
from pathlib import Path

import pytest

from lineal.lineage.records.records import Name
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.registry import Registry
from tests.cli.conftest import Command, Run
from tests.cli.test_imports import HEAVY, loaded_by
from tests.lineage.families import EXAMPLE, add_family, model


@pytest.fixture
def registry(registry: Registry) -> Registry:
    _ = add_family(registry, EXAMPLE[:4])
    return registry


def test_tag_prints_the_version_as_it_stands(registry: Registry, run: Run):
    assert run("tag", "both", "1.0.0") == (0, "demo:both@1.0.0  development\n", "")
    said = ("--tag", "good", "--tag", "fast", "--score", "87.5", "--metric", "mmlu=0.61", "--metric", "pass@1=1e-3")
    line = "demo:both@1.0.0  development  tagged fast, good  score 87.5  mmlu 0.61  pass@1 0.001\n"
    assert run("tag", "demo:both", "1.0.0", *said) == (0, line, "")
    line = "demo:both@1.0.0  development  tagged fast  score 90  mmlu 0.61  pass@1 0.001\n"
    assert run("tag", "both@good", "1.0.0", "--untag", "good", "--score", "90") == (0, line, "")


def test_promote_prints_where_the_version_was_and_is(registry: Registry, run: Run):
    _ = run("tag", "both", "1.0.0")
    for there, said in (
        ("staging", "development -> staging"),
        ("production", "staging -> production"),
        ("staging", "production -> staging"),
        ("production", "staging -> production"),
        ("archived", "production -> archived"),
        ("development", "archived -> development"),
    ):
        assert run("promote", "both@1.0.0", there) == (0, f"demo:both@1.0.0: {said}\n", "")


def test_both_verbs_answer_in_json(registry: Registry, run: Run):
    told = json.loads(run("tag", "both", "1.0.0-rc.1", "--tag", "x", "--score", "5", "--metric", "m=2", "--json")[1])
    known = registry.version("both@x")
    assert told.pop("created").endswith("Z")
    assert told == {
        "name": "demo:both",
        "version": "1.0.0-rc.1",
        "model": f"b3:{known.model_hash.hex()}",
        "stage": "development",
        "tags": ["x"],
        "quality_score": 5.0,
        "metrics": {"m": 2.0},
    }
    moved = json.loads(run("promote", "both@x", "staging", "--json")[1])
    assert (moved["was"], moved["stage"], moved["version"]) == ("development", "staging", "1.0.0-rc.1")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("tag", "both", "1.0"), "'1.0' is not a semantic version: MAJOR.MINOR.PATCH is needed"),
        (("tag", "both", "01.0.0"), "'01.0.0' is not a semantic version"),
        (("tag", "boht", "1.0.0"), "no model is called 'boht' (did you mean demo:both?)"),
        (("tag", "both", "1.0.0", "--score", "101"), "demo:both@1.0.0: a quality score is 0 to 100, got 101.0"),
        (("tag", "both", "1.0.0", "--score", "nan"), "a quality score is 0 to 100, got nan"),
        (("tag", "both", "1.0.0", "--metric", "mmlu"), "--metric mmlu: NAME=VALUE is needed, a number as the value"),
        (("tag", "both", "1.0.0", "--metric", "a=b=1"), "--metric a=b=1: NAME=VALUE is needed"),
        (("tag", "both", "1.0.0", "--metric", "=1"), "'' is not a metric's name"),
        (("tag", "both", "1.0.0", "--metric", "a=inf"), "a is inf, a metric must be finite"),
        (("tag", "both", "1.0.0", "--metric", "a=1", "--metric", "a=2"), "--metric a=2: a is given twice"),
        (("tag", "both", "1.0.0", "--tag", "production"), "'production' is not a tag"),
        (("tag", "both", "1.0.0", "--untag", "good"), "demo:both@1.0.0 has no tag 'good' to take away (tags: none)"),
        (("tag", "both@2.0.0", "1.0.0"), "demo:both has no version 2.0.0: it has none, lineal tag gives it one"),
        (("tag", "code", "0.1.0"), "demo:code@0.1.0 is b3:"),
        (
            ("promote", "code@0.1.0", "production"),
            "is in development: from there it goes to staging, not to production",
        ),
        (("promote", "code@0.1.0", "prod"), "there is no stage 'prod' (stages: development, staging, production, arch"),
        (("promote", "code", "staging"), "'code' means no version: NAME@VERSION is needed"),
        (("promote", "code@0.2.0", "staging"), "demo:code has no version 0.2.0: it has 0.1.0 (development)"),
        (("show", "code@0.2.0"), "demo:code has no version 0.2.0: it has 0.1.0 (development)"),
        (("log", "code@production"), "demo:code has no version in production: it has 0.1.0 (development)"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    registry: Registry, run: Run, words: tuple[str, ...], complaint: str
):
    known = registry.add_version("code", SemanticVersion(0, 1, 0))
    registry.set_name(Name("demo", "code", registry.add_model(model("newer"))))
    code, out, err = run(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert complaint in err
    assert registry.versions("both") == ()
    assert registry.versions("code") == (known,)


def test_show_lists_the_versions_of_the_model(registry: Registry, run: Run):
    assert "\nversions " not in run("show", "both")[1]
    _ = run("tag", "both", "1.0.0", "--tag", "good", "--score", "87.5")
    _ = run("promote", "both@good", "staging")
    _ = run("tag", "both", "1.10.0", "--metric", "mmlu=0.5")
    lines = run("show", "both@staging")[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("versions "))
    assert lines[start : start + 2] == [
        "versions         demo:both@1.10.0  development  mmlu 0.5",
        "                 demo:both@1.0.0   staging      tagged good  score 87.5",
    ]
    shown = json.loads(run("show", "both", "--json")[1])["versions"]
    assert [(v["version"], v["stage"], v["tags"]) for v in shown] == [
        ("1.10.0", "development", []), ("1.0.0", "staging", ["good"]),
    ]  # fmt: skip


def test_log_shows_the_highest_version_beside_the_name_it_belongs_to(registry: Registry, run: Run):
    bare = run("log")[1]
    registry.set_name(Name("team", "merged", registry.resolve("both")))
    for version in ("1.0.0", "1.1.0"):
        _ = run("tag", "demo:both", version)
    _ = run("tag", "merged", "9.0.0")
    _ = run("promote", "demo:both@1.1.0", "staging")
    lines = run("log")[1].splitlines()
    (shown,) = [line for line in lines if "1.1.0 staging" in line]
    assert shown.split()[1:4] == ["both", "1.1.0", "staging"]
    assert "9.0.0" not in "".join(lines)
    assert [line.replace("1.1.0 staging", "").split() for line in lines] == [line.split() for line in bare.splitlines()]
    models = json.loads(run("log", "--json")[1])["models"]
    assert {m["label"]: [v["version"] for v in m["versions"]] for m in models if m["versions"]} == {
        "both": ["9.0.0", "1.1.0", "1.0.0"]
    }


def test_a_model_is_merged_by_its_version_and_stays_what_it_was(lineal: Command):
    assert lineal("add", "a", "--name", "mine:x").code == 0
    tagged = lineal("tag", "x", "1.0.0", "--tag", "first")
    assert tagged.out == "mine:x@1.0.0  development  tagged first\n"
    assert lineal("add", "b", "--name", "mine:x", "--move").code == 0
    by_path = lineal("merge", "./a", "./c", "--method", "linear", "--out", "m1").out.split()[1]
    for number, reference in enumerate(("x@1.0.0", "mine:x@1.0.0", "x@first", "x@development")):
        made = lineal("merge", reference, "./c", "--method", "linear", "--out", f"v{number}")
        assert made.code == 0, made.err
        assert made.out.split()[1] == by_path
    assert json.loads(Path("v0/lineal.json").read_text())["inputs"][0]["name"] == "x@1.0.0"
    assert lineal("verify", "x@1.0.0").code == 0
    assert lineal("merge", "x", "./c", "--method", "linear", "--out", "m2").out.split()[1] != by_path


def test_a_family_file_may_name_a_version(lineal: Command):
    assert lineal("add", "a", "--name", "mine:x").code == 0
    assert lineal("tag", "x", "1.0.0").code == 0
    _ = Path("family.yaml").write_text(
        "family: f\nmodels:\n  m: {merge: {parents: ['mine:x@1.0.0', ./b], method: linear}}\n"
    )
    assert lineal("run").code == 0
    assert json.loads(Path("models/m/lineal.json").read_text())["inputs"][0]["name"] == "mine:x@1.0.0"
    _ = Path("family.yaml").write_text("family: f\nmodels:\n  m: {merge: {parents: [x@2.0.0, ./b], method: linear}}\n")
    refused = lineal("run")
    assert (refused.code, "unknown model 'x@2.0.0'" in refused.err) == (2, True)


def test_neither_verb_begins_a_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run):
    monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / "none.db"))
    for words in (("tag", "a", "1.0.0"), ("promote", "a@1.0.0", "staging")):
        code, _, err = run(*words)
        assert (code, "no registry at" in err) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_both_verbs_load_nothing_that_computes(tmp_path: Path):
    with Registry.open(tmp_path / "registry.db") as opened:
        _ = add_family(opened)
    assert loaded_by(tmp_path, "tag", "both", "1.0.0").isdisjoint(HEAVY)
    assert loaded_by(tmp_path, "promote", "both@1.0.0", "staging").isdisjoint(HEAVY)


@pytest.mark.parametrize("verb", ["tag", "promote"])
def test_both_verbs_have_help_with_examples(run: Run, verb: str):
    told = run(verb, "--help")[1]
    assert "Examples:" in told
    assert f"lineal {verb} both" in told
    assert f" {verb} " in run("--help")[1]
