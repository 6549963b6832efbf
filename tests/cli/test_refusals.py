"""A dry run refuses what the run refuses, in the same words and with the same exit code; nothing is left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import make_checkpoint, random_tensors
from tests.cli.conftest import Command
from tests.llamas import byte_level_bpe, make_llama


@pytest.fixture
def files(lineal: Command) -> Iterator[Command]:
    """Data and models that something is wrong with, beside sound ones."""
    Path("text.txt").write_text("some text")
    Path("chat.jsonl").write_text('{"messages": [{"role": "user", "content": "hello"}]}\n')
    Path("records.json").write_text('[{"text": "hello"}]')
    Path("table.parquet").write_bytes(b"PAR1\0\0PAR1")
    Path("zeros.txt").write_bytes(b"a\0b")
    Path("empty.txt").write_text("")
    (Path("mine") / "kept").mkdir(parents=True)
    for seed, name in enumerate("ab"):
        make_llama(Path(name), seed=seed, max_position_embeddings=16)
    make_llama(Path("odd"), tokenizer=byte_level_bpe(vocab={"x": 0}, merges=[]), max_position_embeddings=16)
    make_llama(Path("wide"), intermediate_size=104)
    make_checkpoint(Path("encoder"), random_tensors(1, {"embeddings.weight": (12, 8)}), {"model_type": "bert"})
    yield lineal


SHORT = ("--sequence-length", "4")
FAULTY = {
    "chat": (
        "finetune: {parent: a, data: chat.jsonl, SHORT}",
        'chat.jsonl:1: "text" must be a string',
    ),
    "records": ("finetune: {parent: a, data: records.json, SHORT}", "records.json: records, not text"),
    "packed": (
        "finetune: {parent: a, data: table.parquet, SHORT}",
        "table.parquet: packed or binary, not text",
    ),
    "zeros": ("finetune: {parent: a, data: zeros.txt, SHORT}", "zeros.txt: not text, a zero byte"),
    "empty": ("finetune: {parent: a, data: empty.txt, SHORT}", "empty.txt: no text in it"),
    "no data": ("finetune: {parent: a, data: none.txt}", "no data file"),
    "words": (
        "distill: {teachers: [odd], student: a, data: text.txt, SHORT}",
        "the tokenizers of the student small:a and",
    ),
    "words of what is to be made": (
        "distill: {teachers: [odder], student: a, data: text.txt, SHORT}",
        "the tokenizers of the student small:a and the teacher small:odder differ",
    ),
    "long": ("finetune: {parent: a, data: text.txt, sequence_length: 32}", "more than the model's 16 positions"),
    "long for what is to be made": (
        "distill: {teachers: [mean], student: mean, data: text.txt, sequence_length: 32}",
        "more than the model's 16 positions",
    ),
    "deep": (
        "distill: {teachers: [a], student: {parent: a, layers: 3}, data: text.txt, SHORT}",
        "layers 3",
    ),
    "on an adapter": ("finetune: {parent: lora, data: text.txt, SHORT}", "is an adapter itself"),
    "no base": ("merge: {parents: [mean, mean], method: ties}", "ties: a base is needed"),
    "three": ("merge: {parents: [mean, a, b], method: slerp}", "slerp: exactly two models are needed, got 3"),
    "shapes": ("merge: {parents: [a, wide], method: linear}", "these models cannot be merged"),
    "no adapter": ("merge: {parents: [a], method: adapter}", "a is not an adapter"),
    "option": ("merge: {parents: [a, b], method: slerp, t: 2}", "slerp: t must be in [0, 1], got 2"),
    "key": ("finetune: {parnet: a, data: text.txt}", "unknown key 'parnet' (did you mean parent?)"),
    "method": ("merge: {parents: [a, b], mehtod: linear}", "unknown key 'mehtod' (did you mean method?)"),
    "reference": ("merge: {parents: [a, nobody], method: linear}", "unknown model 'nobody'"),
    "path": ("merge: {parents: [a, ./nowhere], method: linear}", "no model ./nowhere: no such file or folder"),
    "origin": ("original: {path: ./nowhere}", "nowhere: no such folder"),
}
FAMILY = """
family: small
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  odd: {original: {path: ./odd}}
  wide: {original: {path: ./wide}}
  mean: {merge: {parents: [a, b], method: linear}}
  odder: {prune: {parent: odd, sparsity: 0.5}}
  lora: {finetune: {parent: a, data: text.txt, SHORT}}
  x: {VERB}
"""
LINE = FAMILY.split("\n").index("  x: {VERB}") + 1


def state() -> dict[str, int]:
    """Every file here but the registry's: nothing else may come or go."""
    return {str(p): p.stat().st_size for p in Path().rglob("*") if ".lineal" not in p.parts and p.is_file()}


@pytest.mark.parametrize("name", FAULTY)
def test_a_dry_run_of_a_family_refuses_what_the_run_refuses(files: Command, name: str) -> None:
    verb, said = FAULTY[name]
    Path("family.yaml").write_text(FAMILY.replace("VERB", verb).replace("SHORT", "sequence_length: 4"))
    before = state()
    dry = files("run", "x", "--dry-run")
    assert dry.code in (2, 3)
    assert f"family.yaml:{LINE}: x: " in dry.err
    assert said in dry.err
    assert len(dry.err.splitlines()) == 1
    assert files("run", "x") == dry
    assert state() == before
    assert not Path("models").exists()


def test_everything_wrong_with_a_family_is_told_at_once_with_its_line(files: Command) -> None:
    Path("family.yaml").write_text(
        "models:\n"
        "  a: {original: {path: ./a}}\n"
        "  lost: {original: {path: ./lost}}\n"
        "  chatty: {finetune: {parent: a, data: chat.jsonl, sequence_length: 32}}\n"
        "  fine: {merge: {parents: [a, chatty], method: ties}}\n"
        "evaluate: {data: {odd: records.json}}\n"
    )
    dry = files("run", "--dry-run")
    told = [line.removeprefix("lineal: ") for line in dry.err.splitlines()]
    starts = [line.split(": ")[0] for line in told]
    assert starts == [f"family.yaml{place}" for place in ("", ":3", ":4", ":4")]
    assert files("run") == dry


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("finetune", "./a", "--data", "chat.jsonl", *SHORT), 'chat.jsonl:1: "text" must be'),
        (("finetune", "./a", "--data", "records.json", *SHORT), "records.json: records, not text"),
        (("finetune", "./a", "--data", "text.txt", "--sequence-length", "32"), "16 positions"),
        (
            ("distill", "./odd", "--student", "./a", "--data", "text.txt", *SHORT),
            "the tokenizers of the student a and",
        ),
        (("finetune", "./encoder", "--data", "text.txt", *SHORT), "encoder: a bert without is_decoder"),
        (("finetune", "./encoder", "--method", "full", "--data", "text.txt", *SHORT), "encoder: a bert without is"),
        (("distill", "./a", "--student", "./encoder", "--data", "text.txt", *SHORT), "encoder: a bert without is"),
        (("merge", "./a", "./wide", "--method", "linear"), "these models cannot be merged"),
        (("merge", "./a", "--method", "slerp"), "exactly two models are needed, got 1"),
        (("merge", "./a", "--method", "adapter"), "a is not an adapter"),
        (("prune", "./nowhere", "--sparsity", "0.5"), "nowhere: no such folder"),
    ],
)
def test_a_dry_run_of_a_verb_refuses_what_the_verb_refuses(files: Command, words: tuple[str, ...], said: str) -> None:
    before = state()
    dry = files(*words, "--out", "m", "--dry-run")
    assert said in dry.err
    assert dry.code in (2, 3)
    assert files(*words, "--out", "m") == dry
    assert state() == before


def test_a_target_that_lineal_did_not_make_is_refused_before_anything_is_made(files: Command) -> None:
    words = ("merge", "./a", "./b", "--method", "linear", "--out", "mine")
    dry = files(*words, "--dry-run")
    assert "exists and was not made by lineal" in dry.err
    assert files(*words) == dry
    assert "would be written to" in files("merge", "./a", "./b", "--method", "linear", "--out", "a", "--dry-run").err


def test_a_dry_run_begins_no_registry(files: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAL_REGISTRY", "fresh/registry.db")
    assert files("merge", "./a", "./b", "--method", "linear", "--out", "m", "--dry-run").code == 0
    assert not Path("fresh").exists()


def test_paths_of_models_start_from_the_folder_of_the_family_file(files: Command) -> None:
    Path("sub").mkdir()
    Path("sub/family.yaml").write_text("models: {mean: {merge: {parents: [../a, ../b], method: linear}}}")
    assert files("run", "sub/family.yaml").code == 0
    assert Path("models/mean").is_dir()
