"""kill -9 while a file is made: the same command finishes with the same bytes and its record."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.engines.tiny_models import make_model
from tests.family.killing import KILL, finish, moments, run_and_kill

SIZES = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder with a parent and the file made of it, and how long the command takes once kernels are compiled."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make_model(folder / "m", **SIZES)
    assert finish(folder, *words(folder, "first.gguf"))[0] == 0
    began = time.monotonic()
    assert finish(folder, *words(folder, "x.gguf"))[0] == 0
    return folder, time.monotonic() - began


def words(folder: Path, out: str) -> tuple[str, ...]:
    return ("quantize", str(folder / "m"), "--scheme", "q4_0", "--out", out)


def check_kill(undisturbed: tuple[Path, float], folder: Path, after: float) -> None:
    original, _ = undisturbed
    assert run_and_kill(folder, after, *words(original, "x.gguf")) in (0, -KILL)
    code, _, err = finish(folder, *words(original, "x.gguf"))
    assert code == 0, err
    assert (folder / "x.gguf").read_bytes() == (original / "x.gguf").read_bytes()
    found, meant = (json.loads((place / "x.gguf.lineal.json").read_text()) for place in (folder, original))
    assert found["quantization"] == meant["quantization"]
    assert found["quantization"]["tensors"].keys() == found["tensors"].keys()
    with sqlite3.connect(folder / ".lineal" / "registry.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert finish(folder, "verify", "./x.gguf")[0] == 0
    assert {path.name for path in folder.iterdir()} == {"x.gguf", "x.gguf.lineal.json", ".locks", ".lineal"}


@pytest.mark.parametrize("moment", range(3))
def test_a_file_killed_at_any_moment_is_finished(undisturbed: tuple[Path, float], tmp_path: Path, moment: int) -> None:
    (after,) = moments(3000 + moment, 1, undisturbed[1])
    check_kill(undisturbed, tmp_path, after)


@pytest.mark.storm(200)
def test_two_hundred_files_killed(undisturbed: tuple[Path, float], tmp_path: Path, seed: int) -> None:
    (after,) = moments(4000 + seed, 1, undisturbed[1])
    check_kill(undisturbed, tmp_path, after)
