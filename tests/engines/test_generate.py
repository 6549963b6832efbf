"""Text from a model."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lineal.engines.inference import generate as module
from lineal.engines.inference.generate import generate
from lineal.errors import MethodError
from tests.engines.tiny_models import POSITIONS

PROMPT = "a model is"


def test_without_temperature_it_is_the_likeliest_token_each_time(tiny_model):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    prompt = tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    tokens = prompt
    with torch.no_grad():
        for _ in range(12):
            tokens = torch.cat([tokens, model(tokens).logits[:, -1].argmax(-1, keepdim=True)], 1)
    expected = tokenizer.decode(tokens[0])[len(tokenizer.decode(prompt[0])) :]
    assert "".join(generate(tiny_model, PROMPT, 12)) == expected.partition("<|endoftext|>")[0]


def test_drawing_repeats_with_its_seed(tiny_model):
    first, second, other = ("".join(generate(tiny_model, PROMPT, 12, temperature=2.0, seed=seed)) for seed in (1, 1, 2))
    assert first == second != other


def test_a_small_top_p_leaves_the_likeliest_token_alone(tiny_model):
    greedy = list(generate(tiny_model, PROMPT, 12))
    assert list(generate(tiny_model, PROMPT, 12, temperature=1.0, top_p=1e-6)) == greedy


def test_a_character_of_several_tokens_comes_in_one_piece(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = " caf\u00e9 \U0001f600!"
    prompt, tokens = (tokenizer(part)["input_ids"] for part in (PROMPT, text))
    assert len(tokenizer("\U0001f600")["input_ids"]) == 4
    pieces = list(module._pieces(tokenizer, prompt, iter(tokens), frozenset()))
    assert "".join(pieces) == text
    assert "\U0001f600" in pieces
    cut = list(module._pieces(tokenizer, prompt, iter(tokens[:-2]), frozenset()))
    assert cut[-1] == "\ufffd"


def test_the_end_of_a_document_ends_it(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert list(module._pieces(tokenizer, [5], iter([6, 9, 7]), frozenset({9}))) == [tokenizer.decode([6])]


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"temperature": float("inf")}, {"top_p": 0.0}])
def test_options_out_of_range_are_refused(tiny_model, options):
    with pytest.raises(MethodError, match="generation"):
        generate(tiny_model, PROMPT, 5, **options)


def test_more_text_than_the_model_has_positions_is_refused(tiny_model):
    with pytest.raises(MethodError, match=f"{POSITIONS} positions"):
        generate(tiny_model, PROMPT, POSITIONS)
    with pytest.raises(MethodError, match="the prompt is empty"):
        generate(tiny_model, "", 5)
