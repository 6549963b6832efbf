"""llama.cpp cuts texts as lineal's GGUFs say: tokenizers in SentencePiece's way, and what comes back of any of them."""

import json
import random
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
from tokenizers import Tokenizer

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.gguf.tokenizer_back import tokenizer_json
from lineal.engines.tokenizers.pre_tokenizers import PRE_TOKENIZERS
from tests.engines.quantizations import quantize
from tests.engines.test_gguf_pieces import BOS, piece_model
from tests.engines.test_gguf_tokenizer import TOKENIZERS, quantized
from tests.llama_cpp_pieces import ids_of
from tests.llamas import read_gguf
from tests.peers.conftest import LlamaCpp
from tests.pieces import PIECES, TEXTS

pytestmark = pytest.mark.peers

LETTERS = "the inrasof    \n\n<|>/s01.,'世界好éàÉñ\u0301🚀\t\u00a0\u2003\r"


def drawn(seed: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(LETTERS, k=generator.randint(1, 30))) for _ in range(2000)]


def back(file: Path) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(tokenizer_json(open_checkpoint(file))))


@pytest.mark.parametrize("name", PIECES)
def test_pieces_have_the_same_ids(tmp_path: Path, llama_cpp: LlamaCpp, name: str) -> None:
    parent = piece_model(tmp_path / name, {**PIECES[name], "post_processor": BOS})
    file = quantize(parent, tmp_path / "q")
    texts = [text for text in (*TEXTS, *[*topics.values()][:30], *drawn(1)) if text]
    found = llama_cpp.answer(file, texts)["ids"]
    theirs, ours, fields = Tokenizer.from_file(f"{parent / 'tokenizer.json'}"), back(file), read_gguf(file)[1]
    assert [theirs.encode(text).ids for text in texts] == found
    assert [ours.encode(text).ids for text in texts] == found
    assert [ids_of(fields, text) for text in texts] == found


@pytest.mark.parametrize("name", TOKENIZERS)
def test_words_are_cut_alike(tmp_path: Path, llama_cpp: LlamaCpp, name: str) -> None:
    """Also where the published tokenizer cuts otherwise, which what comes back does not."""
    tokenizer: dict[str, Any] = {**TOKENIZERS[name], "model": {**TOKENIZERS[name]["model"]}}
    merges = [
        ["n", "Ã"],
        ["e", "Ì"],
        ["'", "s"],
        [".", "Ċ"],
        ["0", "1"],
        ["Ġ", "ä"],
        ["ä", "¸"],
        ["Ã", "©"],
        ["Ċ", "Ċ"],
    ]
    vocabulary = dict(tokenizer["model"]["vocab"])
    for merge in merges:
        vocabulary.setdefault("".join(merge), len(vocabulary))
    tokenizer["model"] |= {"vocab": vocabulary, "merges": [*tokenizer["model"]["merges"], *merges]}
    parent, file = quantized(tmp_path, tokenizer, rows=280)
    texts = drawn(2)
    found = llama_cpp.answer(file, texts)["ids"]
    assert [back(file).encode(text).ids for text in texts] == found
    if not PRE_TOKENIZERS[name].but:
        theirs = Tokenizer.from_file(f"{parent / 'tokenizer.json'}")
        assert [theirs.encode(text).ids for text in texts] == found
