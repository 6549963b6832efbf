"""make bench-model: one Llama of 28.8 M parameters, trained once on CPython's text, that other benchmarks measure on.

It is kept outside the repository under the id of the step that is asked for, so that another text, another
architecture or another budget is another model. A run that was killed is continued by the next.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from corpus import DOMAINS, hashes, write_corpus

from lineal.checkpoint.content.hashing import hash_file
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import DataFile, Step
from lineal.family.build.request import rules_of
from lineal.methods.finetune.scratch import Scratch

CONTEXT = 512
TOKENS = 4_000_000
"""Two and a half times the text; an hour to two on two cores of any kind, since float32 is fast on all of them."""
_LINEAL = Path(sys.executable).with_name("lineal")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lineal-bench"
_CONFIG: Mapping[str, Any] = {
    "model_type": "llama",
    "hidden_size": 512,
    "num_hidden_layers": 12,
    "intermediate_size": 1024,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
}
"""Every row divides into whole groups of 128 and blocks of 256."""


@final
@dataclass(frozen=True)
class BenchModel:
    """Where the model and its texts lie; scored: the texts by domain."""

    folder: Path
    texts: Path
    registry: Path

    @property
    def calibration(self) -> Path:
        return self.texts / "calibration.jsonl"

    @property
    def scored(self) -> Mapping[str, Path]:
        return {domain: self.texts / f"eval-{domain}.jsonl" for domain in DOMAINS}


def bench_model() -> BenchModel:
    """As it was trained; the program ends with what to do where it was not."""
    found = _place(TOKENS)
    if not (found.folder / "lineal.json").is_file():
        raise SystemExit("the bench model is not here: `make bench-model` trains it, in an hour or two")
    return found


def recipe(tokens: int) -> dict[str, Any]:
    """What stands under `train` in the family file."""
    shape = {"config": dict(_CONFIG), "tokenizer": {"train": {"vocab_size": 4096}}}
    return {**shape, "tokens": tokens, "sequence_length": CONTEXT, "batch_size": 16, "learning_rate": 0.01, "seed": 1}


def step_id(tokens: int, data: Path) -> str:
    """Of the step as it is asked for."""
    method = Scratch.from_options(recipe(tokens))
    text = DataFile(data.name, hash_file(data))
    rules = rules_of(method, (), (data,))
    step = Step(type=method.kind, method=method.name, rules=rules, options=method.options(), data=(text,))
    return format_hash(step.derivation_id).removeprefix("b3:")[:16]


def train(tokens: int) -> BenchModel:
    """Train it, or go on where a kill left it; what is there already stays."""
    found = _place(tokens)
    for name, digest in hashes(found.texts).items():
        print(f"{digest[:16]}  {(found.texts / name).stat().st_size / 1e6:5.2f} MB  {name}")
    trained = {**recipe(tokens), "data": "texts/base.jsonl"}
    family = found.texts.parent / "family.yaml"
    family.write_text(json.dumps({"family": "bench", "models": {"base": {"original": {"train": trained}}}}))
    began, before = time.monotonic(), os.times()
    command = ["run", f"{family}", "--out", f"{found.folder.parent}"]
    subprocess.run([_LINEAL, *command, "--registry", f"{found.registry}"], check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"{tokens:,} tokens: {time.monotonic() - began:.0f} s, {cpu:.0f} s of processors\n{found.folder}")
    return found


def score(model: BenchModel) -> None:
    """Print what it knows of files that it has not seen."""
    texts = [word for path in model.scored.values() for word in ("--data", f"{path}")]
    command = [_LINEAL, "eval", model.folder, *texts, "--context", f"{CONTEXT}", "--registry", model.registry]
    subprocess.run([f"{word}" for word in command], check=True)


def _place(tokens: int) -> BenchModel:
    """The folder of this Python's text and this recipe, with the texts in it."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE) as at:
        fresh = Path(at, "texts")
        expected = write_corpus(fresh)
        place = _CACHE / step_id(tokens, fresh / "base.jsonl")
        place.mkdir(exist_ok=True)
        texts = place / "texts"
        if not texts.exists():
            fresh.rename(texts)
    if hashes(texts) != expected:
        raise SystemExit(f"{texts} was changed: remove {place}")
    return BenchModel(place / "models" / "base", texts, place / "registry.db")


def main() -> None:
    """Train and score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="another budget, which makes another model")
    score(train(parser.parse_args().tokens))


if __name__ == "__main__":
    main()
