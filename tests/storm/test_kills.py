"""kill -9 of every verb that writes: the registry holds together, and a repeat ends where an undisturbed run does."""

import random
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lineal.lineage.registry import Registry
from lineal.lineage.soundness.check import check
from tests.family.killing import KILL, run_and_kill, seconds_of
from tests.storm.answers import answers
from tests.storm.house import at_home, restore
from tests.storm.judging import contents, outcome

FAST = (
    "add ./fresh --name house:fresh",
    "add ./mean --name house:again",
    "adopt ./stray",
    "clear b --reason gone",
    "import ./a",
    "init --out new.yaml",
    "licence a --override mit --because agreed",
    "log --svg tree.svg",
    "merge ./a ./b --base ./c --method ties --out out",
    "merge ./lora --base ./a --method adapter --out out",
    "merge ./mean.gguf ./a --method linear --out out",
    "merge recipe.yml out",
    "policy house --stage production --evidence recorded",
    "promote a@1.0.0 staging",
    "prune ./a --sparsity 0.5 --out out",
    "quantize ./a --scheme q4_0 --out out.gguf",
    "rm lean --weights --yes",
    "run",
    "sign ./b --key mine.key --out b.jsonl",
    "sign ./lean --key mine.key",
    "tag mean 1.1.0 --metric mmlu=0.6 --tag best",
    "taint a --reason leak",
    "taint --data text.jsonl --reason leak",
    "verify mean",
)
TRAININGS = (
    "eval ./a ./b --context 16 --data text.txt",
    "finetune ./a --data text.jsonl --sequence-length 8 --rank 2 --epochs 8 --out out",
    "finetune ./a --method full --data text.txt --sequence-length 8 --epochs 8 --out out",
    "distill ./a ./b --student ./c --data text.txt --sequence-length 8 --epochs 8 --out out",
)


SECONDS = 180
"""Trainings beside each other, each with threads of its own, take many times what one takes alone."""


@dataclass(frozen=True)
class End:
    """How an undisturbed command ends: files and answers, and its exit code; then those of a second call."""

    seconds: float
    states: tuple[Any, Any]
    codes: tuple[int, int]


@cache
def end(words: tuple[str, ...], template: Path) -> End:
    house = template.with_name("house")
    restore(template, house)
    with at_home(house):
        first = outcome(words, SECONDS)
        once = state(house)
        second = outcome(words, SECONDS)
        twice = state(house)
    assert first.code == 0, first
    restore(template, house)
    return End(seconds_of(house, *words), (once, twice), (first.code, second.code))


def state(house: Path) -> Any:
    """Weights and configurations by their bytes, other files by their names, and what is known of them."""
    found = contents(house)
    exact = {name: digest for name, digest in found.items() if name.endswith((".safetensors", ".gguf", "config.json"))}
    return exact, sorted(found), answers()


def check_kill(line: str, template: Path, seed: int) -> None:
    words = tuple(line.split())
    undisturbed = end(words, template)
    house = template.with_name("house")
    restore(template, house)
    after = random.Random(f"{line} {seed}").uniform(0, undisturbed.seconds)
    assert run_and_kill(house, after, *words) in (0, -KILL)
    with at_home(house):
        with Registry.open_existing(house / ".lineal" / "registry.db") as registry:
            assert check(registry).faults == ()
        found = outcome(words, SECONDS)
        assert found.code in undisturbed.codes, found
        assert state(house) in undisturbed.states
        with Registry.open_existing(house / ".lineal" / "registry.db") as registry:
            assert check(registry).faults == ()
    assert not list(house.glob("**/.*.partial"))


@pytest.mark.storm(200)
@pytest.mark.parametrize("line", FAST)
def test_a_killed_command_is_completed_by_a_repeat(line: str, template: Path, seed: int) -> None:
    check_kill(line, template, seed)


@pytest.fixture(scope="module")
def torch_loaded() -> None:
    """Before any clock runs: a command that is stopped amid its imports leaves half a torch to all after it."""
    for name in ("lineal.engines.train.train", "lineal.engines.inference.evaluate"):
        _ = import_module(name)


@pytest.mark.storm(50)
@pytest.mark.usefixtures("torch_loaded")
@pytest.mark.parametrize("line", TRAININGS)
def test_a_killed_training_is_completed_by_a_repeat(line: str, template: Path, seed: int) -> None:
    check_kill(line, template, seed)
