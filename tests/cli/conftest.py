"""Commands run in this process, with a registry and a folder of their own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lineal.cli.entry import main
from lineal.lineage.registry import Registry
from tests.builders import make_checkpoint, make_tokenizer, random_tensors

SHAPES = {"model.embed_tokens.weight": (12, 8), "model.norm.weight": (8,)}


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Command = Callable[..., Answer]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def registry(place: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The one that commands of a test use, in either database."""
    monkeypatch.setenv("LINEAL_REGISTRY", place)
    with Registry.open(place) as opened:
        yield opened


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command where there are no models: its exit code, stdout and stderr."""

    def lineal(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return code, *capsys.readouterr()

    return lineal


@pytest.fixture
def lineal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a folder with three small models in it."""
    for seed, name in enumerate("abc"):
        make_tokenizer(make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES, np.float32)), {"x": 0})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / ".lineal" / "registry.db"))
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = main(words)
        told = capsys.readouterr()
        return Answer(code, told.out, told.err)

    return run
