"""A text is cut into words as llama.cpp cuts it: its expressions one after the other, over what those before left."""

import json
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lineal.engines.tokenizers.pre_tokenizers import PRE_TOKENIZERS, pre_tokenizer_of
from tests.llamas import byte_alphabet, byte_level_bpe

ENDINGS = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = rf"{ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|DIGITS| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}"
UPPER, LOWER = r"[\p{L}--[a-z]]", r"[\p{L}--[A-Z]]"
CASES = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+ENDING|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*ENDING"
    rf"|DIGITS| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}"
)
MARKS = rf"{ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{SPACES}"
EXPRESSIONS = {
    "gpt-2": (GPT2,),
    "smollm": (r"\p{N}", GPT2),
    "llama-bpe": (WORDS.replace("DIGITS", r"\p{N}{1,3}"),),
    "dbrx": (WORDS.replace("DIGITS", r"\p{N}{1,3}"),),
    "qwen2": (WORDS.replace("DIGITS", r"\p{N}"),),
    "qwen35": (MARKS,),
    "tekken": (CASES.replace("DIGITS", r"\p{N}").replace("ENDING", ""),),
    "gpt-4o": (CASES.replace("DIGITS", r"\p{N}{1,3}").replace("ENDING", f"(?:{ENDINGS})?"),),
}
BYTES = {letter: byte for byte, letter in byte_alphabet().items()}
LETTERS = "theinSTÉéàA123 \u00a0\u2003\n\r\t'sRELL.,/-世界ñ🚀<|>\u0301\u0e33Ⅷ²"


def cut(text: str, expressions: tuple[str, ...]) -> list[str]:
    parts = [text]
    for expression in expressions:
        found = list[str]()
        for part in parts:
            end = 0
            for match in regex.finditer(expression, part, flags=regex.V1):
                found += [part[end : match.start()], match[0]]
                end = match.end()
            found.append(part[end:])
        parts = [part for part in found if part]
    return parts


@pytest.fixture(scope="module", params=list(PRE_TOKENIZERS))
def named(request: pytest.FixtureRequest) -> tuple[str, Any]:
    known = PRE_TOKENIZERS[request.param]
    steps = known.steps if known.cut is None else known.cut
    return request.param, Tokenizer.from_str(json.dumps({**byte_level_bpe(), "pre_tokenizer": steps})).pre_tokenizer


@settings(max_examples=300)
@given(st.text(st.sampled_from(LETTERS), max_size=30))
def test_words_are_those_of_llama_cpp_s_expressions(named: tuple[str, Any], text: str) -> None:
    name, pre_tokenizer = named
    words = [bytes(BYTES[letter] for letter in word).decode() for word, _ in pre_tokenizer.pre_tokenize_str(text)]
    assert words == cut(text, EXPRESSIONS[name])


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_a_pre_tokenizer_is_known_by_what_it_does(name: str) -> None:
    known = PRE_TOKENIZERS[name]
    model = {"type": "BPE", "ignore_merges": known.ignore_merges}
    for steps in (known.steps, known.cut):
        assert steps is None or pre_tokenizer_of({"model": model, "pre_tokenizer": steps}) == name
    other = {**model, "ignore_merges": not known.ignore_merges}
    assert pre_tokenizer_of({"model": other, "pre_tokenizer": known.steps}) != name
