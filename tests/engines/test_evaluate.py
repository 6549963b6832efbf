"""Scores, against plain loops over a model's logits."""

import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lineal.engines.inference.evaluate import Reading
from lineal.errors import MethodError, StorageError
from tests.engines.scoring import evaluate
from tests.engines.tiny_models import POSITIONS, make_documents, make_model, stored_in


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "text.txt"
    path.write_text("\n".join(make_documents(5, 6)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def other_model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("other") / "model", seed=3)


def predictions(folder, documents, context):
    """(log-probabilities in float64, target) of every token but a document's first, each predicted alone."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    found = []
    for document in documents:
        tokens = tokenizer(document)["input_ids"]
        for at in range(1, len(tokens)):
            start = (at - 1) // context * context
            with torch.no_grad():
                logits = model(torch.tensor([tokens[start:at]])).logits[0, -1]
            found.append((torch.log_softmax(logits.double(), -1), tokens[at]))
    return found


@pytest.mark.parametrize("context", [7, POSITIONS])
def test_every_token_but_the_first_counts_once(tiny_model, text, context):
    scores = evaluate(tiny_model, {"it": text}, reading=Reading(context))["it"]
    found = predictions(tiny_model, [text.read_text()], context)
    nats = -sum(logs[target].item() for logs, target in found)
    assert scores.tokens == len(found)
    assert scores.bytes == len(text.read_bytes())
    assert scores.perplexity == pytest.approx(math.exp(nats / len(found)), rel=1e-5)
    assert scores.bits_per_byte == pytest.approx(nats / math.log(2) / scores.bytes, rel=1e-6)
    assert scores.kl is None


def test_documents_of_a_jsonl_file_are_read_each_on_its_own(tiny_model, tmp_path):
    documents = [*make_documents(6, 3), "", "a"]
    path = tmp_path / "text.jsonl"
    path.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents))
    scores = evaluate(tiny_model, {"it": path})["it"]
    found = predictions(tiny_model, documents, POSITIONS)
    assert scores.tokens == len(found)
    assert scores.bytes == sum(len(document.encode()) for document in documents)
    assert math.log(scores.perplexity) == pytest.approx(-sum(p[t].item() for p, t in found) / len(found), rel=1e-6)


def test_the_divergence_is_that_of_float64(tiny_model, other_model, text):
    scores = evaluate(tiny_model, {"it": text}, reference=other_model)["it"]
    documents = [text.read_text()]
    ours, theirs = (predictions(folder, documents, POSITIONS) for folder in (tiny_model, other_model))
    expected = [(q.exp() * (q - p)).sum().item() for (p, _), (q, _) in zip(ours, theirs, strict=True)]
    assert scores.kl == pytest.approx(sum(expected) / len(expected), rel=1e-5)
    assert scores.kl > 0.01


def test_a_model_does_not_diverge_from_itself(tiny_model, text):
    assert evaluate(tiny_model, {"it": text}, reference=tiny_model)["it"].kl == 0


def test_the_batch_size_does_not_matter(tiny_model, text):
    one, many = (evaluate(tiny_model, {"it": text}, reading=Reading(batch_tokens=size))["it"] for size in (1, 512))
    assert one.perplexity == pytest.approx(many.perplexity, rel=1e-6)


def test_stored_bf16_weights_are_computed_with_in_float32(tmp_path, tiny_model, text):
    half = stored_in(tmp_path / "half", tiny_model, {}, torch.bfloat16)
    single = stored_in(tmp_path / "single", half, {}, torch.float32)
    assert evaluate(half, {"it": text}) == evaluate(single, {"it": text})


def test_progress_counts_tokens_over_all_texts(tiny_model, text, tmp_path):
    second = tmp_path / "second.txt"
    second.write_text(make_documents(8)[0])
    seen: list[tuple[int, int]] = []
    scores = evaluate(
        tiny_model,
        {"a": text, "b": second},
        progress=lambda *counts: seen.append(counts),
        reading=Reading(batch_tokens=64),
    )
    total = sum(score.tokens for score in scores.values())
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_models_that_share_no_tokens_have_no_divergence(tmp_path, tiny_model, text):
    larger = make_model(tmp_path / "larger", vocab_size=304)
    with pytest.raises(MethodError, match="300 tokens, the reference 304"):
        evaluate(tiny_model, {"it": text}, reference=larger)
    renamed = stored_in(tmp_path / "renamed", tiny_model, {}, torch.float32)
    settings = json.loads((renamed / "tokenizer.json").read_text())
    settings["model"]["merges"] = settings["model"]["merges"][:-5]
    (renamed / "tokenizer.json").write_text(json.dumps(settings))
    with pytest.raises(MethodError, match="split 'it' differently"):
        evaluate(tiny_model, {"it": text}, reference=renamed)


def test_what_cannot_be_scored_is_refused(tmp_path, tiny_model, text):
    (tmp_path / "short.txt").write_text("a")
    with pytest.raises(StorageError, match="at least 2 tokens"):
        evaluate(tiny_model, {"it": tmp_path / "short.txt"})
    with pytest.raises(StorageError, match="no such data file"):
        evaluate(tiny_model, {"it": tmp_path / "missing.txt"})
    for context in (0, POSITIONS + 1):
        with pytest.raises(MethodError, match="context"):
            evaluate(tiny_model, {"it": text}, reading=Reading(context))
