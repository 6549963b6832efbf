"""Models that were really trained: twins of another seed, siblings of one start, and fine-tunes of fine-tunes."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lineal.family.origin.add import add_folder
from lineal.family.origin.adopt import Answer, explain
from lineal.family.session import Session
from lineal.lineage.registry import Registry
from tests.builders import make_checkpoint
from tests.engines.tiny_models import make_documents

CONFIG = {
    "model_type": "llama",
    "vocab_size": 256,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
    "tie_word_embeddings": False,
}
TEXTS = {name: "\n".join(make_documents(seed)) for seed, name in enumerate(("words", "others"))} | {
    "digits": " ".join(str(number * number) for number in range(900))
}


def fresh(seed: int) -> Any:
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**{key: value for key, value in CONFIG.items() if key != "model_type"}))


def trained(model: Any, text: str, steps: int, rate: float) -> Any:
    """A copy, trained on a text of bytes with AdamW and weight decay."""
    found, generator = copy.deepcopy(model), np.random.default_rng(len(text))
    optimizer = torch.optim.AdamW(found.parameters(), lr=rate, weight_decay=0.01)
    stored = torch.tensor(list(TEXTS[text].encode()))
    for _ in range(steps):
        starts = generator.integers(0, len(stored) - 32, 8)
        batch = torch.stack([stored[start : start + 32] for start in starts])
        optimizer.zero_grad()
        found(batch, labels=batch).loss.backward()
        optimizer.step()
    return found


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    start = fresh(0)
    base = trained(start, "words", 120, 3e-3)
    tuned = trained(base, "digits", 40, 5e-4)
    return {
        "base": base,
        "twin": trained(fresh(1), "words", 120, 3e-3),
        "brother": trained(start, "digits", 120, 3e-3),
        "tuned": tuned,
        "other": trained(base, "others", 40, 5e-4),
        "twice": trained(tuned, "others", 40, 5e-4),
    }


@pytest.fixture
def ask(models: dict[str, Any], tmp_path: Path) -> Iterator[Any]:
    with Registry.open(tmp_path / "registry.db") as registry:
        session = Session(registry, threads=1)

        def written(name: str) -> Path:
            tensors = {key: value.numpy() for key, value in models[name].state_dict().items()}
            return make_checkpoint(tmp_path / name, tensors, CONFIG)

        def asked(unknown: str, *known: str) -> Answer:
            for name in known:
                _ = add_folder(session, written(name), f"zoo:{name}")
            return explain(session, str(written(unknown)))

        yield asked


def parents(answer: Answer) -> list[str]:
    return [] if answer.best is None else [local.label for _, local in answer.best.inputs]


def test_a_fine_tune_comes_from_its_base_and_from_no_sibling(ask: Any) -> None:
    assert parents(ask("tuned", "twin", "base", "other", "brother")) == ["base"]


def test_a_fine_tune_of_a_fine_tune_comes_from_the_nearer_one_and_is_no_merge(ask: Any) -> None:
    assert parents(ask("twice", "base", "tuned", "other", "twin")) == ["tuned"]


def test_a_twin_trained_on_the_same_text_is_unrelated(ask: Any) -> None:
    answer = ask("twin", "base", "tuned", "other")
    assert answer.best is None
    assert {one.finding.relation.value for one in answer.ranking} == {"unrelated"}


def test_models_of_one_start_that_went_their_own_ways_are_related_and_not_adopted(ask: Any) -> None:
    answer = ask("brother", "base", "twin")
    assert answer.best is None
    assert {one.label: one.finding.relation.value for one in answer.ranking} == {
        "base": "sibling or parent",
        "twin": "unrelated",
    }


def test_a_base_does_not_come_from_its_fine_tunes(ask: Any) -> None:
    answer = ask("base", "tuned", "other", "twin")
    assert answer.best is None
    assert {one.finding.relation.value for one in answer.ranking} == {"sibling or parent", "unrelated"}
