"""Where a model must not be put, and what a refusal leaves behind: nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.cli.entry import main
from lineal.family.build import build
from tests.builders import make_checkpoint, random_tensors
from tests.llamas import make_llama

SHAPES = {"model.embed_tokens.weight": (12, 8), "model.norm.weight": (8,)}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate("ab"):
        make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES, np.float32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / ".lineal" / "registry.db"))
    return tmp_path


def merge(out: str, *more: str) -> int:
    return main(("merge", "./a", "./b", "--method", "linear", "--out", out, *more))


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("out", ["link", "a/child", "a", "file", "foreign"])
def test_an_output_that_cannot_be_is_refused_and_leaves_nothing(
    here: Path, out: str, dry: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "link").symlink_to(here / "nowhere")
    (here / "file").write_text("mine")
    (here / "foreign").mkdir()
    before = sorted(here.rglob("*"))
    assert merge(out, *dry) == 2
    told = capsys.readouterr().err
    expected = {
        "link": "a link that leads nowhere",
        "a/child": "inside the folder of a",
        "a": "where a lies",
        "file": "was not made by lineal",
        "foreign": "was not made by lineal",
    }
    assert expected[out] in told
    assert len(told.splitlines()) == 1
    assert [path for path in sorted(here.rglob("*")) if ".lineal" not in path.parts] == before


def test_a_family_does_not_write_through_a_link(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = "{a: {original: {path: ./a}}, lean: {prune: {parent: a, sparsity: 0.5}}}"
    (here / "family.yaml").write_text(f"models: {models}\n")
    (here / "models").mkdir()
    (here / "models" / "lean").symlink_to(here / "b")
    assert main(("run",)) == 2
    assert "models/lean is a link" in capsys.readouterr().err
    assert sorted(path.name for path in (here / "b").iterdir()) == ["config.json", "model.safetensors"]


def test_a_foreign_file_where_the_record_goes_is_not_written_over(here: Path) -> None:
    (here / "x.gguf.lineal.json").write_text('{"mine": true}')
    assert main(("quantize", "./a", "--scheme", "f16", "--out", "x.gguf")) == 3
    assert (here / "x.gguf.lineal.json").read_text() == '{"mine": true}'


def test_a_refusal_midway_leaves_no_partial_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = random_tensors(1, SHAPES, np.float32)
    tensors["model.norm.weight"][3] = np.nan
    make_checkpoint(here / "b", tensors)
    assert merge("out") == 3
    assert "nan at element 3" in capsys.readouterr().err
    assert not list(here.glob("**/*.partial"))
    assert not (here / "out").exists()


MADE = {
    "child": ("merge", "./a", "./b", "--method", "linear", "--out", "child"),
    "child.gguf": ("quantize", "./a", "--scheme", "f16", "--out", "child.gguf"),
}


@pytest.mark.parametrize("name", MADE)
def test_a_kill_between_publishing_and_tidying_up_leaves_nothing_once_the_command_was_repeated(
    here: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_llama(here / "a", hidden_size=32, intermediate_size=32)
    make_llama(here / "b", seed=2, hidden_size=32, intermediate_size=32)

    def killed(*asked: Any) -> None:
        _ = publish_as_ever(*asked)
        raise KeyboardInterrupt

    publish_as_ever = build._publish
    with monkeypatch.context() as patch:
        patch.setattr(build, "_publish", killed)
        assert main(MADE[name]) == 130
    assert (here / name).exists()
    (left,) = here.glob(".*.partial")
    other = here / f".{name}.aaaaaaaaaaaa.partial"
    (other / "work").mkdir(parents=True)
    assert main(MADE[name]) == 0
    assert list(here.glob(".*.partial")) == [other], f"{left} stayed, or the work of another recipe went"
