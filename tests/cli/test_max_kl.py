"""A quantized model is compared with its parent once it is made, and the answer is no where it is too far from it."""

from pathlib import Path

import pytest

from lineal.engines import extra
from lineal.lineage.records.lineal_json import read_provenance
from lineal.lineage.records.records import Evaluation
from lineal.lineage.registry import Registry
from tests.cli.conftest import Command
from tests.engines.tiny_models import make_model, write_data

WORDS = ("quantize", "./m", "--scheme", "q4_0", "--out", "q.gguf")


@pytest.fixture(autouse=True)
def parent(lineal: Command) -> Path:
    """A model and a text, in the folder where commands run."""
    write_data(Path("text.jsonl"), count=4)
    return make_model(Path("m").resolve(), hidden_size=64, intermediate_size=96)


def evaluations(reference: str) -> tuple[Evaluation, ...]:
    with Registry.open(Path(".lineal/registry.db")) as registry:
        return registry.evaluations(registry.resolve(reference))


def test_one_that_is_near_is_evaluated_recorded_and_well(lineal: Command) -> None:
    answer = lineal(*WORDS, "--eval", "text.jsonl", "--max-kl", "5")
    assert answer.code == 0
    (found,) = evaluations("q.gguf")
    with Registry.open(Path(".lineal/registry.db")) as registry:
        assert found.reference == registry.resolve("m")
    assert found.kl is not None
    assert 0 < found.kl < 5
    told = f"q.gguf: perplexity {found.perplexity:.4g}, KL {found.kl:.4f} nats a token from m, on text.jsonl ("
    assert told in answer.err
    assert answer.out.startswith(f"{Path('q.gguf').resolve()}  b3:")


def test_one_that_is_too_far_stays_and_the_answer_is_no(lineal: Command) -> None:
    answer = lineal(*WORDS, "--eval", "text.jsonl", "--max-kl", "1e-9")
    assert answer.code == 1
    (line,) = [line for line in answer.err.splitlines() if line.startswith("lineal: ")]
    (found,) = evaluations("q.gguf")
    assert line.startswith(f"lineal: q.gguf: its KL divergence on text.jsonl is {found.kl:.4g} nats a token, above ")
    assert line.endswith(f"--max-kl 1e-09; it was made and stays: {Path('q.gguf').resolve()}")
    assert Path("q.gguf").is_file()
    again = lineal(*WORDS, "--eval", "text.jsonl", "--max-kl", "5")
    assert again.code == 0
    assert "q.gguf: up to date" in again.err
    assert evaluations("q.gguf") == (found,)


def test_what_it_is_held_against_is_no_part_of_the_derivation(lineal: Command) -> None:
    lineal(*WORDS, "--eval", "text.jsonl", "--max-kl", "5")
    record = read_provenance(Path("q.gguf"))
    assert record is not None
    assert record.step.options == {"scheme": "q4_0"}
    assert record.step.data == ()


@pytest.mark.parametrize("name", ["empty.txt", "empty.jsonl", "nowhere.txt"])
def test_a_text_with_nothing_in_it_is_refused_before_anything_is_made(lineal: Command, name: str) -> None:
    Path("empty.txt").write_text("")
    Path("empty.jsonl").write_text('{"text": ""}\n')
    answer = lineal(*WORDS, "--eval", name, "--max-kl", "0.02")
    assert answer.code == 3
    assert f"{name}: no " in answer.err
    assert not list(Path().glob("*q.gguf*"))


def test_without_torch_it_is_refused_before_anything_is_made(lineal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    answer = lineal(*WORDS, "--eval", "text.jsonl")
    assert (answer.code, answer.err) == (2, "lineal: evaluation needs the extra 'train': pip install 'lineal[train]'\n")
    assert not list(Path().glob("*q.gguf*"))
    assert lineal(*WORDS).code == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--max-kl", "0.02"), "--max-kl needs a text to measure it on: --eval FILE"),
        (("--eval", "text.jsonl", "--max-kl", "nan"), "--max-kl must be a finite number of at least 0, got nan"),
        (("--eval", "text.jsonl", "--max-kl", "-1"), "--max-kl must be a finite number of at least 0, got -1.0"),
    ],
)
def test_a_limit_that_can_mean_nothing_is_refused(lineal: Command, more: tuple[str, ...], told: str) -> None:
    answer = lineal(*WORDS, *more)
    assert (answer.code, answer.err) == (2, f"lineal: {told}\n")
