"""kill -9 and Ctrl-C at any moment: the same command finishes with the same bytes, and the registry is intact."""

import shutil
import sqlite3
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from lineal.family.build.make import Made
from lineal.family.build.request import Request
from lineal.family.build.run import run_family
from lineal.family.build.scratch import Scratch
from lineal.family.file.read import read_family
from lineal.family.session import Session
from lineal.lineage.registry import Registry
from tests.builders import make_checkpoint, random_tensors
from tests.family.conftest import write_family
from tests.family.killing import INTERRUPT, KILL, finish, moments, run_and_kill, seconds_of, start, weights

STARTING = 2.0
"""Seconds that a program of its own takes to load, roughly."""
SHAPES = {f"model.layers.{i}.mlp.up_proj.weight": (1024, 2048) for i in range(12)}

MERGES = """
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
  ties: {merge: {parents: [b, c], base: a, method: ties, density: 0.4}}
  dare: {merge: {parents: [b, c], base: a, method: dare_ties}}
  lean: {prune: {parent: b, sparsity: 0.5}}
  gradual:
    merge: {merge_method: linear, models: [{model: b}, {model: c}], parameters: {weight: [1, 0.2]}, dtype: float16}
"""

TRAINED = """
models:
  base:
    original:
      train:
        config: {model_type: llama, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2,
          num_attention_heads: 2, num_key_value_heads: 1, max_position_embeddings: 64, tie_word_embeddings: true}
        tokenizer: {train: {vocab_size: 280}}
        data: text.txt
        sequence_length: 64
        epochs: 3
  tuned: {finetune: {parent: base, data: text.txt, rank: 2, sequence_length: 64}}
  whole: {merge: {parents: [tuned], method: adapter}}
  small: {distill: {teachers: [tuned, base], student: {parent: whole, layers: 1}, data: text.txt, sequence_length: 64}}
  q8: {quantize: {parent: small, scheme: q8_0}}
  further: {finetune: {parent: q8, method: full, data: text.txt, sequence_length: 64}}
"""


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder with parents, an undisturbed run of its family, and how long that takes once kernels are compiled."""
    folder = tmp_path_factory.mktemp("merged")
    for seed, name in enumerate("abc"):
        make_checkpoint(folder / name, random_tensors(seed, SHAPES, ml_dtypes.bfloat16))
    write_family(folder, MERGES)
    assert finish(folder, "run")[0] == 0
    expected = weights(folder)
    shutil.rmtree(folder / "models")
    shutil.rmtree(folder / ".lineal")
    seconds = seconds_of(folder, "run")
    assert weights(folder) == expected
    return folder, seconds


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    folder = tmp_path_factory.mktemp("trained")
    words = np.random.default_rng(0).choice(["def", "return", "import", "class", "self", "x"], 6000)
    (folder / "text.txt").write_text(" ".join(words))
    write_family(folder, TRAINED)
    return folder, seconds_of(folder, "run")


def check_kill(original: Path, folder: Path, after: float) -> None:
    copy_inputs(original, folder)
    assert run_and_kill(folder, after, "run") in (0, -KILL)
    check_repeat(original, folder)


def copy_inputs(original: Path, folder: Path) -> None:
    for path in original.iterdir():
        if path.name not in ("models", ".lineal"):
            path_copy = folder / path.name
            shutil.copytree(path, path_copy) if path.is_dir() else shutil.copy(path, path_copy)


def check_repeat(original: Path, folder: Path) -> None:
    """The same command finishes with the same bytes."""
    if (folder / ".lineal" / "registry.db").exists():
        with sqlite3.connect(folder / ".lineal" / "registry.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    code, _, err = finish(folder, "run")
    assert code == 0, err
    assert weights(folder) == weights(original)
    assert finish(folder, "verify", "--family", folder.name)[0] == 0
    left = {path.name for path in (folder / "models").iterdir() if path.name.startswith(".")}
    assert left == {".locks"}


@pytest.mark.parametrize("moment", range(10))
def test_a_merge_killed_at_any_moment_is_continued(merged: tuple[Path, float], tmp_path: Path, moment: int) -> None:
    (after,) = moments(moment, 1, merged[1])
    check_kill(merged[0], tmp_path, after)


@pytest.mark.parametrize("moment", range(3))
def test_a_merge_that_is_interrupted_says_so_and_is_continued(
    merged: tuple[Path, float], tmp_path: Path, moment: int
) -> None:
    copy_inputs(merged[0], tmp_path)
    process = start(tmp_path, "run")
    (after,) = moments(100 + moment, 1, STARTING + merged[1])
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(INTERRUPT)
    told = process.communicate(timeout=60)[1].decode()
    assert process.returncode != 130 or told.endswith("lineal: interrupted; the same command continues where it was\n")
    assert process.returncode in (0, -INTERRUPT, 130)
    check_repeat(merged[0], tmp_path)


def test_a_disk_that_fills_up_midway_is_one_line_and_the_run_continues(
    merged: tuple[Path, float], tmp_path: Path
) -> None:
    original, _ = merged
    for name in "abc":
        shutil.copytree(original / name, tmp_path / name)
    write_family(tmp_path, MERGES)
    process = start(tmp_path, "run", largest_file=20_000_000)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    told = err.decode().splitlines()[-1]
    assert "model.safetensors: its file system, or a limit of yours, allows no file as large" in told
    code, _, told = finish(tmp_path, "run")
    assert code == 0, told
    assert weights(tmp_path) == weights(original)


def test_a_model_is_fine_tuned_by_its_path(trained: tuple[Path, float], tmp_path: Path) -> None:
    words = ("--data", str(trained[0] / "text.txt"), "--sequence-length", "64", "--rank", "2", "--out", "tuned")
    code, out, err = finish(tmp_path, "finetune", str(trained[0] / "models" / "base"), *words)
    assert code == 0, err
    assert out.startswith(str(tmp_path / "tuned"))


@pytest.mark.parametrize("moment", range(2))
def test_a_training_killed_at_any_moment_is_continued(trained: tuple[Path, float], tmp_path: Path, moment: int) -> None:
    (after,) = moments(200 + moment, 1, trained[1])
    check_kill(trained[0], tmp_path, after)


@pytest.mark.storm(200)
def test_two_hundred_merges_killed(merged: tuple[Path, float], tmp_path: Path, seed: int) -> None:
    (after,) = moments(1000 + seed, 1, merged[1])
    check_kill(merged[0], tmp_path, after)


@pytest.mark.storm(50)
def test_fifty_trainings_killed(trained: tuple[Path, float], tmp_path: Path, seed: int) -> None:
    (after,) = moments(2000 + seed, 1, trained[1])
    check_kill(trained[0], tmp_path, after)


def test_a_training_by_path_finds_its_work_again_though_its_parent_is_known_by_now(
    trained: tuple[Path, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is hashed while a model is made must not change what its work is found by."""
    base = tmp_path / "base"
    shutil.copytree(trained[0] / "models" / "base", base)
    found: list[list[Path]] = []

    def interrupted(session: Session, request: Request, scratch: Scratch) -> Made:
        found.append(sorted(path for path in scratch.work.parent.rglob("*") if path.is_file()))
        scratch.work.mkdir(exist_ok=True)
        (scratch.work / "progress").touch()
        for _, local in request.inputs:
            session.identify(local)
        raise KeyboardInterrupt

    monkeypatch.setattr("lineal.family.build.makers.trainings.make_trained", interrupted)
    with Registry.open(tmp_path / "registry.db") as registry:
        options = f"parent: {base}, method: full, sequence_length: 32, data: text.txt"
        text = f"family: f\nmodels:\n  tuned: {{finetune: {{{options}}}}}\n"
        (tmp_path / "text.txt").write_text("some text")
        (tmp_path / "family.yaml").write_text(text)
        for _ in range(2):
            session = Session(registry)
            with pytest.raises(KeyboardInterrupt):
                run_family(session, read_family(tmp_path / "family.yaml", session.knows), tmp_path / "models")
    assert [[path.name for path in paths] for paths in found] == [[], ["progress"]]
