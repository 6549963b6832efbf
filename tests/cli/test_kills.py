"""kill -9 during add, run and tag: the registry opens, holds together, and a repeat completes."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lineal.cli.entry import main
from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.builders import make_checkpoint, make_tokenizer, random_tensors
from tests.family.killing import KILL, moments, run_and_kill, seconds_of, start

SHAPES = {f"model.layers.{i}.mlp.up_proj.weight": (64, 32) for i in range(8)}
FAMILY = """
family: mine
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  mean: {merge: {parents: [a, b], method: linear}}
  lean: {prune: {parent: mean, sparsity: 0.5}}
"""


@dataclass(frozen=True)
class Verb:
    """words: of the command, in a folder; before: commands that must have run; complete: what must be so in the end."""

    words: Callable[[Path], tuple[str, ...]]
    complete: Callable[[Registry], bool]
    before: tuple[Callable[[Path], tuple[str, ...]], ...] = ()


def add_a(folder: Path) -> tuple[str, ...]:
    return ("add", str(folder / "a"), "--name", "mine:a")


def add_mean(folder: Path) -> tuple[str, ...]:
    return ("add", str(folder / "mean"), "--name", "mine:mean")


def is_tagged(registry: Registry) -> bool:
    version = registry.version("mean@1.0.0")
    return (version.tags, version.quality_score, version.metrics) == (("good",), 90, {"mmlu": 0.5})


VERBS = {
    "add": Verb(add_mean, lambda registry: len(registry.steps_of(registry.resolve("mine:mean"))) == 1),
    "tag": Verb(
        lambda folder: ("tag", "mean", "1.0.0", "--tag", "good", "--score", "90", "--metric", "mmlu=0.5"),
        is_tagged,
        before=(add_mean,),
    ),
    "run": Verb(
        lambda folder: ("run", str(folder / "family.yaml"), "--out", str(folder / "models")),
        lambda registry: {name.name for name in registry.names("mine")} == {"a", "b", "mean", "lean"},
    ),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for seed, name in enumerate("ab"):
        make_tokenizer(make_checkpoint(folder / name, random_tensors(seed, SHAPES, np.float32)), {"x": 0})
    (folder / "family.yaml").write_text(FAMILY)
    parents = (str(folder / "a"), str(folder / "b"))
    registry = str(folder / "elsewhere.db")
    assert main(["merge", *parents, "--method", "linear", "--out", str(folder / "mean"), "--registry", registry]) == 0
    return folder


def check_kills(verb: Verb, originals: Path, folder: Path, seeds: range) -> None:
    killed, longest = 0, 0.0
    for seed in seeds:
        place = folder / str(seed)
        shutil.copytree(originals, place)
        registry = place / ".lineal" / "registry.db"
        chosen = ("--registry", str(registry))
        for words in verb.before:
            assert main([*words(place), *chosen]) == 0
        words = (*verb.words(place), *chosen)
        if not longest:  # undisturbed, to know what there is to disturb; the first may find cold caches
            copies = [folder / "copy", folder / "another"]
            for copy in copies:
                shutil.copytree(place, copy)
            longest = min(seconds_of(copy, *verb.words(copy)) for copy in copies)
        (after,) = moments(seed, 1, longest)
        code = run_and_kill(place, after, *words)
        assert code in (0, -KILL)
        killed += code == -KILL
        if registry.exists():
            with Registry.open_existing(registry) as opened:
                assert check(opened).faults == ()
        assert main(words) == 0
        with Registry.open_existing(registry) as opened:
            assert check(opened).faults == ()
            assert verb.complete(opened)
        assert not list(place.rglob("*.partial"))
        shutil.rmtree(place)
    assert killed > len(seeds) // 3, "most commands had finished before their moment came"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_killed_at_any_moment_is_completed_by_a_repeat(verb: str, originals: Path, tmp_path: Path) -> None:
    check_kills(VERBS[verb], originals, tmp_path, range(10))


@pytest.mark.parametrize(
    ("verb", "largest_file"), [("add", 0), ("add", 20_000), ("add", 50_000), ("tag", 0), ("tag", 20_000)]
)
def test_a_full_disk_is_one_line_and_leaves_an_intact_registry(
    verb: str, largest_file: int, originals: Path, tmp_path: Path
) -> None:
    place = tmp_path / "full"
    shutil.copytree(originals, place)
    registry = place / ".lineal" / "registry.db"
    chosen = ("--registry", str(registry))
    for words in (add_a, *VERBS[verb].before):  # else there is no registry to leave intact
        assert main([*words(place), *chosen]) == 0
    words = (*VERBS[verb].words(place), *chosen)
    process = start(place, *words, largest_file=largest_file)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert re.fullmatch(r"lineal: the registry .*registry\.db: .*; .*(space|disk).*\n", err.decode()), err
    with Registry.open_existing(registry) as opened:
        assert check(opened).faults == ()
    assert main(words) == 0
    with Registry.open_existing(registry) as opened:
        assert VERBS[verb].complete(opened)
