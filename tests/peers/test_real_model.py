"""A real model, SmolLM2 as a GGUF in Q4_1: lineal reads it as transformers and llama.cpp do."""

from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.real.chat import prompt
from examples.real.fetch import fetch
from lineal.cli.entry import main
from lineal.engines.inference.language_model import load_model, load_tokenizer
from tests.peers.conftest import LlamaCpp

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # transformers' own, while it reads the GGUF
]

BUILD = Path(__file__).resolve().parents[2] / "build" / "real"
NAME = "smollm2.gguf"
QUESTIONS = ("Who are you?", "What is 12 times 34?", "Name  3 rivers.\n\n")
COUNT = 8
"""Tokens of an answer: those of "The capital of France is Paris." and the end of a turn."""


@pytest.fixture(scope="module")
def gguf() -> Path:
    fetch(BUILD)
    return BUILD / NAME


@pytest.fixture(scope="module")
def folder(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GGUF as an ordinary folder, in float16."""
    place = tmp_path_factory.mktemp("real") / "smollm2"
    registry = f"{place.parent / 'registry.db'}"
    assert main(["merge", f"{gguf}", "--method", "passthrough", "--out", f"{place}", "--registry", registry]) == 0
    return place


@pytest.fixture(scope="module")
def theirs(gguf: Path) -> Any:
    """transformers' reading of the GGUF, in float32."""
    return AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=NAME, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def texts(folder: Path) -> list[str]:
    return [*topics.values(), *(prompt(folder, question) for question in QUESTIONS)]


def ids_of(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return [tokenizer(text)["input_ids"] for text in texts]


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


def test_the_gguf_has_transformers_logits_and_the_folder_those_in_float16(
    gguf: Path, folder: Path, theirs: Any
) -> None:
    ids = load_tokenizer(folder)(topics["assert"])["input_ids"][:256]
    assert torch.equal(logits(load_model(gguf), ids), logits(theirs, ids))
    found = logits(load_model(folder), ids)
    stored = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rounded = {name: values.half().float() for name, values in theirs.state_dict().items()}
    assert {
        name: values for name, values in stored.state_dict().items() if not torch.equal(values, rounded[name])
    } == {}
    assert torch.equal(found, logits(stored.eval(), ids))


def test_what_stands_beside_the_weights_is_what_transformers_makes_of_it(gguf: Path, folder: Path, theirs: Any) -> None:
    ours, other = load_tokenizer(folder), AutoTokenizer.from_pretrained(gguf.parent, gguf_file=NAME)
    assert ours.special_tokens_map == other.special_tokens_map
    assert ours.chat_template == other.chat_template
    messages = [{"role": "user", "content": question} for question in QUESTIONS]
    rendered = other.apply_chat_template(messages[:1], add_generation_prompt=True, tokenize=False)
    assert prompt(folder, QUESTIONS[0]) == rendered
    generation = AutoModelForCausalLM.from_pretrained(folder).generation_config
    for role in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(generation, role) == getattr(theirs.generation_config, role)


def test_texts_and_chats_have_llama_cpp_s_ids(folder: Path, gguf: Path, texts: list[str], llama_cpp: LlamaCpp) -> None:
    assert ids_of(load_tokenizer(folder), texts) == llama_cpp.answer(gguf, texts)["ids"]


def test_texts_and_chats_have_transformers_ids_once_it_splits_digits_as_the_gguf_says(
    folder: Path, gguf: Path, texts: list[str]
) -> None:
    """It ignores `tokenizer.ggml.pre`, so a digit takes the space before it from a run of spaces."""
    ours, other = load_tokenizer(folder), AutoTokenizer.from_pretrained(gguf.parent, gguf_file=NAME)
    assert ids_of(ours, ["x =  5"]) != ids_of(other, ["x =  5"])
    parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    other.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    assert ids_of(ours, texts) == ids_of(other, texts)


def test_llama_cpp_answers_from_what_lineal_writes_as_transformers_does(folder: Path, llama_cpp: LlamaCpp) -> None:
    file, registry = folder.parent / "f16.gguf", f"{folder.parent / 'registry.db'}"
    assert main(["quantize", f"{folder}", "--scheme", "f16", "--out", f"{file}", "--registry", registry]) == 0
    tokenizer = load_tokenizer(folder)
    ids = tokenizer(prompt(folder, "What is the capital of France?"))["input_ids"]
    model = load_model(folder)
    expected = model.generate(torch.tensor([ids]), max_new_tokens=COUNT, do_sample=False)[0, len(ids) :].tolist()
    assert tokenizer.decode(expected) == "The capital of France is Paris.<|im_end|>"
    assert llama_cpp.answer(file, prompt=ids, count=COUNT)["continued"] == expected
