"""A tokenizer in SentencePiece's way goes into a GGUF and comes back: the same ids for every text, as llama.cpp's."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.gguf.tokenizer_back import tokenizer_json
from lineal.engines.gguf.tokenizer_keys import tokenizer_remarks
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.tokenizers.tokenizer_files import read_tokenizer
from lineal.errors import CheckpointError
from tests.builders import write_json
from tests.engines.quantizations import quantize
from tests.engines.test_gguf_tokenizer import template
from tests.llama_cpp_pieces import CONTROL, NORMAL, UNKNOWN, USER_DEFINED, ids_of
from tests.llamas import added, make_llama, read_gguf
from tests.pieces import BYTES, GEMMA_SPLIT, PIECES, REPLACE, SIZE, SPACE, TEXTS, metaspace, pieces

ROWS = 912
BOS = {
    "type": "Sequence",
    "processors": [{**template("<s>", "$"), "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}],
}


def piece_model(folder: Path, tokenizer: dict[str, Any], **changes: Any) -> Path:
    parent = make_llama(folder, tokenizer=tokenizer, vocab_size=ROWS, hidden_size=32, **changes)
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    write_json(parent / "tokenizer_config.json", {**roles, "tokenizer_class": "PreTrainedTokenizerFast"})
    return parent


def there_and_back(folder: Path, name: str, tokenizer: dict[str, Any]) -> tuple[Tokenizer, dict[str, Any], Tokenizer]:
    """The tokenizer, the keys of the GGUF, and the tokenizer that is made of them."""
    parent = piece_model(folder / name, tokenizer)
    file = quantize(parent, folder / "q")
    back = Tokenizer.from_str(json.dumps(tokenizer_json(open_checkpoint(file))))
    return Tokenizer.from_file(f"{parent / 'tokenizer.json'}"), read_gguf(file)[1], back


@pytest.fixture(scope="module", params=list(PIECES))
def three(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name = request.param
    return there_and_back(tmp_path_factory.mktemp("pieces"), name, {**PIECES[name], "post_processor": BOS})


def test_texts_have_llama_cpp_s_ids_there_and_back(three: Any) -> None:
    theirs, fields, back = three
    for text in TEXTS:
        ids = theirs.encode(text).ids
        assert ids_of(fields, text) == ids, text
        assert back.encode(text).ids == ids, text
        assert back.decode(ids) == theirs.decode(ids)


@settings(max_examples=150)
@given(st.text(st.sampled_from("the inrasof    \n\n<|>/s01.世界好é\u0301à🚀\t\u00a0"), max_size=40))
def test_any_text_has_llama_cpp_s_ids_there_and_back(three: Any, text: str) -> None:
    theirs, fields, back = three
    ids = theirs.encode(text).ids
    assert ids_of(fields, text) == ids
    assert back.encode(text).ids == ids


def test_the_keys_are_those_of_llama_cpp_s_converter(tmp_path: Path) -> None:
    _, fields, _ = there_and_back(tmp_path, "m", {**PIECES["gemma"], "post_processor": BOS})
    assert fields["tokenizer.ggml.model"] == "llama"
    assert fields["tokenizer.ggml.pre"] == "default"
    assert fields["tokenizer.ggml.add_space_prefix"] is False
    assert fields["tokenizer.ggml.add_bos_token"] is True
    kinds = fields["tokenizer.ggml.token_type"]
    assert kinds[:4] == [UNKNOWN, CONTROL, CONTROL, CONTROL]
    assert kinds[4:260] == [6] * 256
    assert kinds[SIZE : SIZE + 4] == [USER_DEFINED] * 3 + [CONTROL]
    assert set(kinds[260:SIZE]) == {NORMAL}
    assert set(kinds[SIZE + 4 :]) == {5}
    assert "tokenizer.ggml.merges" not in fields


def test_the_unknown_token_is_the_model_s_where_none_is_declared(tmp_path: Path) -> None:
    parent = piece_model(tmp_path / "m", pieces(model={"unk_token": "<s>"}))
    write_json(parent / "tokenizer_config.json", {"eos_token": "</s>"})
    assert read_gguf(quantize(parent, tmp_path / "q"))[1]["tokenizer.ggml.unknown_token_id"] == 1


def test_scores_are_in_the_order_of_the_merges(tmp_path: Path) -> None:
    tokenizer = PIECES["llama"]
    _, fields, _ = there_and_back(tmp_path, "m", tokenizer)
    scores = dict(zip(fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.scores"], strict=True))
    made = ["".join(pair) for pair in tokenizer["model"]["merges"]]
    assert [scores[token] for token in dict.fromkeys(made)] == [-float(i) for i in range(len(set(made)))]
    assert scores["<s>"] == scores["e"] == -len(set(made))


@pytest.mark.parametrize("name", PIECES)
def test_what_comes_back_makes_the_same_keys_again(tmp_path: Path, name: str) -> None:
    first = quantize(piece_model(tmp_path / "m" / name, {**PIECES[name], "post_processor": BOS}), tmp_path / "q")
    again = piece_model(tmp_path / "n" / name, {"pre_tokenizer": None, **tokenizer_json(open_checkpoint(first))})
    (_, before), (_, after) = read_gguf(first), read_gguf(quantize(again, tmp_path / "r"))
    unnamed = "tokenizer.ggml.token_type"  # rows that no token had are ordinary tokens by then
    assert {key: value for key, value in after.items() if key != unnamed} == {
        key: value for key, value in before.items() if key != unnamed
    }
    assert after[unnamed][:SIZE] == before[unnamed][:SIZE]


def test_a_run_of_spaces_that_is_added_is_an_ordinary_token(tmp_path: Path) -> None:
    tokenizer = pieces(words=False, normalizer=REPLACE, pre_tokenizer=GEMMA_SPLIT)
    run = SPACE * 4
    tokenizer["added_tokens"].append(added(tokenizer["model"]["vocab"][run], run, special=False))
    theirs, fields, _ = there_and_back(tmp_path, "m", tokenizer)
    assert fields["tokenizer.ggml.token_type"][tokenizer["model"]["vocab"][run]] == NORMAL
    assert ids_of(fields, "x     y") == theirs.encode("x     y").ids


@pytest.mark.parametrize("scheme", ["always", "first"])
def test_a_prefix_that_is_spared_is_remarked(tmp_path: Path, scheme: str) -> None:
    tokenizer = pieces(normalizer=None, pre_tokenizer=metaspace(scheme, split=False))
    theirs, fields, _ = there_and_back(tmp_path, "m", tokenizer)
    (said,) = tokenizer_remarks(read_tokenizer(tmp_path / "m"))
    assert "before texts that begin with a space, too" in said
    assert ids_of(fields, "the end") == theirs.encode("the end").ids
    assert ids_of(fields, " the") != theirs.encode(" the").ids


def test_without_a_normalizer_added_tokens_are_found_as_they_stand(tmp_path: Path) -> None:
    more = [added(SIZE, "<x>", normalized=True, special=False)]
    tokenizer = pieces(normalizer=None, pre_tokenizer=metaspace("never", split=False), more=more)
    theirs, fields, back = there_and_back(tmp_path, "m", tokenizer)
    assert ids_of(fields, "the <x> x") == theirs.encode("the <x> x").ids == back.encode("the <x> x").ids


def test_a_gguf_s_tokenizer_is_transformers_own(tmp_path: Path) -> None:
    file = quantize(piece_model(tmp_path / "m", {**PIECES["llama"], "post_processor": BOS}), tmp_path / "q")
    found = load_tokenizer(file)
    assert (found.bos_token, found.eos_token, found.unk_token) == ("<s>", "</s>", "<unk>")
    assert found("the end")["input_ids"][0] == 1
    assert found.decode(found("the end")["input_ids"], skip_special_tokens=True) == "the end"


def left_in_two(token: str) -> dict[str, Any]:
    """A token more, which no merge makes."""
    model = pieces()["model"]
    return pieces(model={"vocab": {**model["vocab"], token: SIZE}})


def all_but_an_unused_row() -> dict[str, Any]:
    """Merges that make of the name of a row that no token has two pieces."""
    more = [["[", "P"], ["[P", "A"], ["[PA", "D"], ["9", "1"], ["91", "1"], ["911", "]"]]
    model = pieces()["model"]
    vocabulary = dict(model["vocab"])
    for token in (part for merge in more for part in (*merge, "".join(merge))):
        vocabulary.setdefault(token, len(vocabulary))
    return pieces(model={"vocab": vocabulary, "merges": [*model["merges"], *more]})


def without_bytes() -> dict[str, Any]:
    model = pieces()["model"]
    kept = [token for token in model["vocab"] if token not in BYTES[65:67] + BYTES[200:]]
    return pieces(model={"vocab": {token: index for index, token in enumerate(kept)}})


MERGED_BYTES = [*pieces()["model"]["merges"], ["<0xE4>", "<0xB8>"]]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a token that no merge makes": (left_in_two("eq"), "no merge makes 'eq' of its two pieces; llama.cpp would"),
    "an unused row": (all_but_an_unused_row(), "no merge makes '.PAD911.' of its two pieces"),
    "missing bytes": (without_bytes(), "has byte_fallback and 56 of 256 bytes not, <0xC8> among them"),
    "merged bytes": (
        pieces(model={"merges": MERGED_BYTES}),
        "merges bytes .'<0xE4> <0xB8>'., which llama.cpp does not",
    ),
    "ignore_merges": (pieces(model={"ignore_merges": True}), "ignore_merges has no place in a GGUF with scores"),
    "a normalizer": (pieces(normalizer={"type": "NFKC"}), "before it merges it does 'NFKC', which llama.cpp does not"),
    "words of bytes": (pieces(pre_tokenizer={"type": "Whitespace"}), "does 'Prepend, Replace, Whitespace', which"),
    "another letter": (
        pieces(normalizer=None, pre_tokenizer={**metaspace("never", split=False), "replacement": "_"}),
        "before it merges it does 'Metaspace'",
    ),
    "normalized": (
        pieces(more=[added(SIZE, "<x>", normalized=True)]),
        "looks for '<x>' among spaces that are ▁ already",
    ),
    "rstrip": (
        pieces(more=[added(SIZE, "<x>", rstrip=True)]),
        "drops white space behind '<x>'; llama.cpp drops it where",
    ),
    "lstrip": (pieces(more=[added(SIZE, "<x>", lstrip=True)]), "'<x>' minds the characters beside it"),
    "unigrams": (pieces(model={"type": "Unigram"}), "a 'Unigram' tokenizer; what can be written is BPE"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_scores_cannot_say_is_refused(tmp_path: Path, why: str) -> None:
    tokenizer, said = REFUSED[why]
    with pytest.raises(CheckpointError, match=said):
        quantize(piece_model(tmp_path / "m", tokenizer), tmp_path / "q")


def test_what_is_named_phi_3_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="keeps white space behind '</s>'"):
        quantize(piece_model(tmp_path / "My-Phi-3", PIECES["llama"]), tmp_path / "q")
    with pytest.raises(CheckpointError, match="takes what is named 'phi3x' for a Phi-3, and it has no token </s>, <s>"):
        quantize(make_llama(tmp_path / "phi3x"), tmp_path / "q")
