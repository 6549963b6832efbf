"""Names on the command line: listed, taken away, and a family file to begin with."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_verbs import error_of

MERGE = ("merge", "./a", "./b", "--method", "linear", "--out")


def test_list_shows_names_sizes_and_places(lineal: Command) -> None:
    lineal("add", "a", "b")
    lineal("add", "c", "--name", "mine:third")
    told = lineal("list").out.splitlines()
    assert [line.split()[0].partition(":")[2] for line in told] == ["a", "b", "third"]
    assert all(
        "416 bytes" in line and line.endswith(str(Path(n).resolve())) for line, n in zip(told, "abc", strict=True)
    )
    (only,) = json.loads(lineal("list", "--family", "mine", "--json").out)
    assert (only["name"], only["locations"], only["bytes"]) == ("mine:third", [str(Path("c").resolve())], 416)
    assert "no model belongs to a family 'none'" in error_of(lineal("list", "--family", "none"))


def test_rm_takes_a_name_away_and_nothing_else(lineal: Command) -> None:
    digest = json.loads(lineal("add", "a", "--name", "mine:a", "--json").out)[0]["model_hash"]
    assert lineal("rm", "a").out == "mine:a is not a name any more\n"
    assert "no model is called" in error_of(lineal("show", "mine:a"))
    assert lineal("show", digest).code == 0
    assert Path("a/model.safetensors").is_file()
    assert "mine:a is not a name any more, was" in lineal("journal").out
    assert lineal("check").code == 0
    lineal("add", "a", "--name", "mine:a")
    assert lineal("check").code == 0


def test_rm_deletes_only_what_lineal_made_and_only_when_told_so(lineal: Command) -> None:
    lineal("add", "a", "--name", "mine:a")
    lineal(*MERGE, "mean")
    assert "was not made by lineal" in error_of(lineal("rm", "mine:a", "--weights", "--yes"))
    assert "say --yes as well" in error_of(lineal("rm", "mean", "--weights"))
    assert Path("mean").is_dir()
    assert f"deleted {Path('mean').resolve()}" in lineal("rm", "mean", "--weights", "--yes").out
    assert not Path("mean").exists()
    assert Path("a").is_dir()
    assert lineal("check").code == 0


def test_rm_keeps_files_that_another_name_stands_for(lineal: Command) -> None:
    lineal(*MERGE, "mean")
    lineal("add", "mean", "--name", "mine:mean")
    assert "its files are those of mine:mean, too" in error_of(
        lineal("rm", f"{Path.cwd().name}:mean", "--weights", "--yes")
    )
    assert Path("mean").is_dir()


def test_a_name_with_versions_stays(lineal: Command) -> None:
    lineal("add", "a", "--name", "mine:a")
    lineal("tag", "mine:a", "1.0.0")
    assert "mine:a has versions (1.0.0)" in error_of(lineal("rm", "mine:a"))
    assert lineal("show", "mine:a").code == 0


def test_init_writes_a_family_file_that_runs(lineal: Command) -> None:
    Path("empty").mkdir()
    Path("odd name").symlink_to("c")
    assert "family.yaml: 4 models" in lineal("init").out
    plan = json.loads(lineal("run", "--dry-run", "--json").out)
    assert [one["name"] for one in plan] == ["a", "b", "c", "odd-name"]
    assert "family.yaml exists" in error_of(lineal("init"))
    assert lineal("init", "a", "--out", "one.yaml").code == 0
    assert lineal("run", "one.yaml", "--dry-run").code == 0
    assert lineal("init", "empty", "--out", "none.yaml").out.startswith("none.yaml: 0 models")


def test_a_name_is_moved_only_when_told_so_and_never_without_a_word(lineal: Command) -> None:
    lineal("add", "a", "--name", "mine:best")
    assert "mine:best stands for b3:" in error_of(lineal("add", "b", "--name", "mine:best"))
    assert lineal("show", "mine:best", "--json").out == lineal("show", "./a", "--json").out
    assert "; mine:best was b3:" in lineal("add", "b", "--name", "mine:best", "--move").out
    assert lineal("add", "b", "--name", "mine:best").code == 0


def test_a_model_by_its_path_brings_its_name_and_its_history(lineal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    lineal(*MERGE, "mean")
    monkeypatch.setenv("LINEAL_REGISTRY", "other/registry.db")
    lineal("merge", "./mean", "./c", "--method", "linear", "--out", "more")
    told = lineal("why", "more").out
    assert "mean" in told
    assert [one["name"].partition(":")[2] for one in json.loads(lineal("list", "--json").out)] == ["mean", "c", "more"]
    assert [step["method"] for step in json.loads(lineal("show", "mean", "--json").out)["steps"]] == ["linear"]


def test_diff_and_licence_take_folders_that_nobody_has_seen(lineal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAL_REGISTRY")
    monkeypatch.setenv("HOME", str(Path.cwd() / "home"))
    answer = lineal("diff", "./a", "./b")
    assert (answer.code, answer.err) == (1, "lineal: ./a and ./b differ\n")
    assert lineal("diff", "./a", "./a").code == 0
    assert "a: unknown" in lineal("licence", "./a").out
    assert not Path("home").exists()
    assert not Path(".lineal").exists()
    assert "no registry at mistyped" in error_of(lineal("diff", "./a", "./b", "--registry", "mistyped"))
    assert not Path("mistyped").exists()


def test_a_registry_that_the_environment_names_may_be_one_to_come(
    lineal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_REGISTRY", "later/registry.db")
    assert lineal("diff", "./a", "./a").code == 0
    assert "a: unknown" in lineal("licence", "./a").out
    assert not Path("later").exists()


def test_a_name_has_at_most_255_characters(lineal: Command) -> None:
    answer = lineal("add", "./a", "--name", f"mine:{'x' * 251}")
    assert answer.code == 2
    assert answer.err.endswith("a name of 256 characters; at most 255\n")
    assert lineal("add", "./a", "--name", f"mine:{'x' * 250}").code == 0
