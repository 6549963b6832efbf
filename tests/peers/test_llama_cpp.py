"""llama.cpp opens what lineal quantizes: the same tokens, the same logits, the same text."""

import json
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
import torch

from lineal.engines.inference.language_model import load_model, load_tokenizer
from lineal.engines.train.train import train
from lineal.methods.finetune.scratch import Scratch
from tests.engines.quantizations import quantize
from tests.engines.test_gguf_tokenizer import TEXTS, TOKENIZERS, quantized, template
from tests.engines.test_llama_of_gguf import VARIANTS, with_biases
from tests.engines.tiny_models import make_model
from tests.llamas import END, read_gguf
from tests.peers.conftest import LlamaCpp

pytestmark = pytest.mark.peers

CONFIG = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}
PAGES = ("assert", "break", "continue", "for", "if", "import", "pass", "while", "with", "yield")
PROMPT = 'The "assert" statement'
COUNT = 64
MARGIN = 0.5
"""Between the likeliest token and the next: far above what other roundings change."""

TOLERANCES = {"f32": 1e-4, "f16": 0.03, "bf16": 0.2, "q8_0": 0.75, "q4_0": 0.75}
"""Of logits with a deviation of 3, three times what was measured. The weights are equal, to the bit; but llama.cpp
rounds the activations, too, before each product: to float16 (11 bits) or bfloat16 (8 bits) where the weights are that,
to Q8_0 (8 bits a block) where they are blocks. In float32 only the order of sums differs."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that knows ten pages of Python's manual by heart, so that what it says next is not in doubt."""
    folder = tmp_path_factory.mktemp("trained")
    data = folder / "pages.jsonl"
    data.write_text("".join(json.dumps({"text": topics[page]}) + "\n" for page in PAGES), encoding="utf-8")
    method = Scratch(
        config=CONFIG, tokenizer={"train": {"vocab_size": 512}}, sequence_length=128, batch_size=8, tokens=200_000
    )
    (folder / "m").mkdir()
    train(method, data=[data], out=folder / "m", scratch=folder / "scratch")
    return folder / "m"


def continuation(model: Any, prompt: list[int]) -> tuple[list[int], float]:
    """The likeliest tokens one after the other, and the smallest margin among them."""
    ids, margins = list(prompt), []
    with torch.inference_mode():
        for _ in range(COUNT):
            best = model(torch.tensor([ids])).logits[0, -1].topk(2)
            margins.append(float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
    return ids[len(prompt) :], min(margins)


def logits(model: Any, prompt: list[int]) -> Any:
    with torch.inference_mode():
        return model(torch.tensor([prompt])).logits[0].numpy()


def test_it_continues_a_prompt_as_transformers_does_with_weights_in_float16(
    trained: Path, tmp_path: Path, llama_cpp: LlamaCpp
) -> None:
    prompt = load_tokenizer(trained)(PROMPT)["input_ids"]
    expected, margin = continuation(load_model(trained).half().float(), prompt)
    assert margin > MARGIN
    assert len(set(expected)) > COUNT // 3
    answer = llama_cpp.answer(quantize(trained, tmp_path / "q", "f16"), [PROMPT], prompt, COUNT)
    assert answer["ids"] == [prompt]
    assert answer["continued"] == expected


@pytest.mark.parametrize("scheme", TOLERANCES)
def test_logits_are_those_of_the_stored_weights(
    trained: Path, tmp_path: Path, llama_cpp: LlamaCpp, scheme: str
) -> None:
    file = quantize(trained, tmp_path / "q", scheme)
    prompt = load_tokenizer(trained)(topics["assert"])["input_ids"][:100]
    found, expected = np.array(llama_cpp.answer(file, prompt=prompt)["logits"]), logits(load_model(file), prompt)
    assert np.abs(found - expected).max() < TOLERANCES[scheme]


@pytest.mark.parametrize(("scheme", "file_type"), [("f16", 1), ("q4_0", 2), ("q8_0", 7), ("bf16", 32)])
def test_llama_cpp_s_own_quantizer_makes_the_same_bytes(
    trained: Path, tmp_path: Path, llama_cpp: LlamaCpp, scheme: str, file_type: int
) -> None:
    """With q4_0 the embedding, too: its rows of 128 are too short for Q6_K, and llama.cpp then takes Q8_0."""
    full = quantize(trained, tmp_path / "f32")
    expected, _ = read_gguf(llama_cpp.quantize(full, tmp_path / "theirs.gguf", file_type))
    found, _ = read_gguf(quantize(trained, tmp_path / "q", scheme))
    assert found.keys() == expected.keys()
    for name, (kind, stored) in found.items():
        assert kind == expected[name][0]
        assert np.array_equal(stored, expected[name][1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_llama_computes_what_it_did(tmp_path: Path, llama_cpp: LlamaCpp, variant: str) -> None:
    parent = with_biases(make_model(tmp_path / "m", **VARIANTS[variant]))
    prompt = list(range(5, 35))
    found = llama_cpp.answer(quantize(parent, tmp_path / "q"), prompt=prompt)["logits"]
    assert np.abs(np.array(found) - logits(load_model(parent), prompt)).max() < TOLERANCES["f32"]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("around", [("$",), (END, "$"), ("$", END)])
def test_texts_have_the_same_ids(tmp_path: Path, llama_cpp: LlamaCpp, name: str, around: tuple[str, ...]) -> None:
    parent, file = quantized(
        tmp_path, {**TOKENIZERS[name], "post_processor": template(*around)}, chat_template="{{ 1 }}"
    )
    texts = [text for text in (*TEXTS, *(topics[page] for page in PAGES)) if text]
    answer = llama_cpp.answer(file, texts)
    tokenizer = load_tokenizer(parent)
    assert answer["ids"] == [tokenizer(text)["input_ids"] for text in texts]
    assert answer["chat_template"] == "{{ 1 }}"
