"""What stands around a tokenizer in a GGUF: normalizers, tokens that end an answer, chat templates, names of others."""

from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.reader import Checkpoint, open_checkpoint
from lineal.engines.gguf.parent import gguf_config
from lineal.engines.gguf.tokenizer_back import special_tokens, tokenizer_json
from lineal.engines.gguf.tokenizer_keys import tokenizer_remarks
from lineal.engines.gguf.tokenizer_overlaps import overlapping
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.tokenizers.pre_tokenizers import pre_tokenizer_named
from lineal.engines.tokenizers.tokenizer_files import read_tokenizer
from lineal.errors import CheckpointError
from tests.builders import write_json
from tests.engines.quantizations import plan, quantize
from tests.engines.test_gguf_tokenizer import TOKENIZERS, quantized, sequence
from tests.llamas import END, added, byte_level_bpe, make_llama, read_gguf

NFC = {"type": "NFC"}


@pytest.mark.parametrize("normalizer", [NFC, {"type": "Sequence", "normalizers": [NFC]}])
def test_characters_that_are_composed_are_remarked_and_keep_their_ids(tmp_path: Path, normalizer: Any) -> None:
    """Qwen's and OLMo's; llama.cpp composes nothing, and so neither does what comes back."""
    parent, file = quantized(tmp_path, {**TOKENIZERS["qwen2"], "normalizer": normalizer})
    theirs, ours = load_tokenizer(parent), load_tokenizer(file)
    assert ours("é the")["input_ids"] == theirs("é the")["input_ids"]
    assert ours("e\u0301")["input_ids"] != theirs("e\u0301")["input_ids"] == theirs("é")["input_ids"]
    (said,) = plan(parent).remarks
    assert said.startswith("llama.cpp does not compose characters (NFC)")


@pytest.mark.parametrize("kind", ["NFKC", "NFD", "Lowercase", "Prepend"])
def test_no_other_normalizer_is_let_through(tmp_path: Path, kind: str) -> None:
    normalizer = {"type": "Sequence", "normalizers": [NFC, {"type": kind, "prepend": "x"}]}
    with pytest.raises(CheckpointError, match=f"its normalizer {kind} has no place in a GGUF"):
        quantized(tmp_path, {**byte_level_bpe(), "normalizer": normalizer})


def test_a_pre_tokenizer_that_is_not_known_is_named(tmp_path: Path) -> None:
    split = {"type": "Split", "pattern": {"Regex": r"\d+"}, "behavior": "Isolated", "invert": False}
    with pytest.raises(CheckpointError, match=r"'Split \\\\d\+, ByteLevel' without ignore_merges, is none of those"):
        quantized(tmp_path, {**byte_level_bpe(), "pre_tokenizer": sequence(split, {"type": "ByteLevel"})})


@pytest.mark.parametrize("name", ["tekken", "gpt-4o"])
def test_where_llama_cpp_cuts_otherwise_is_remarked_and_comes_back(tmp_path: Path, name: str) -> None:
    tokenizer = {**TOKENIZERS[name], "model": {**TOKENIZERS[name]["model"], "merges": [["n", "Ã"], ["h", "e"]]}}
    tokenizer["model"]["vocab"] = {**byte_level_bpe()["model"]["vocab"], "nÃ": 265}
    parent, file = quantized(tmp_path, tokenizer)
    theirs, ours = load_tokenizer(parent), load_tokenizer(file)
    assert ours("the nE")["input_ids"] == theirs("the nE")["input_ids"]
    assert 265 in ours("nÉ")["input_ids"]
    assert 265 not in theirs("nÉ")["input_ids"]
    (said,) = plan(parent).remarks
    assert said.startswith("llama.cpp cuts words with combining marks, or with letters of two cases")


def test_gguf_s_other_names_of_a_pre_tokenizer_are_known() -> None:
    for other, name in {"olmo": "gpt-2", "starcoder": "smollm", "llama-v3": "llama-bpe", "megrez": "qwen2"}.items():
        assert pre_tokenizer_named(other) is pre_tokenizer_named(name)


def test_an_added_token_has_the_id_that_it_has_in_the_model(tmp_path: Path) -> None:
    tokenizer = {**byte_level_bpe(), "added_tokens": [added(0, END), added(266, "he")]}
    with pytest.raises(CheckpointError, match="'he' is token 258, and added as token 266"):
        quantized(tmp_path, tokenizer)


def ending(folder: Path, end: str = "<end>", **generation: Any) -> Path:
    """A model with tokens that may end an answer; llama.cpp knows one by sight, and `end` perhaps."""
    names = ["<|eom_id|>", "<stop>", "<halt>", "<quit>"]
    tokenizer = byte_level_bpe()
    tokenizer["model"]["vocab"] = {end if name == END else name: i for name, i in tokenizer["model"]["vocab"].items()}
    tokens = [added(0, end), *(added(265 + index, name) for index, name in enumerate(names))]
    parent = make_llama(folder, tokenizer={**tokenizer, "added_tokens": tokens})
    write_json(parent / "tokenizer_config.json", {"eos_token": end, "tokenizer_class": "PreTrainedTokenizerFast"})
    write_json(parent / "generation_config.json", generation)
    return parent


def test_further_tokens_that_end_an_answer_are_eot_and_eom(tmp_path: Path) -> None:
    file = quantize(ending(tmp_path / "m", eos_token_id=[0, 265, 266, 267]), tmp_path / "q")
    _, fields = read_gguf(file)
    assert fields["tokenizer.ggml.eos_token_id"] == 0
    assert (fields["tokenizer.ggml.eot_token_id"], fields["tokenizer.ggml.eom_token_id"]) == (266, 267)
    assert gguf_config(open_checkpoint(file))["eos_token_id"] == [0, 266, 267]


def test_an_eot_that_llama_cpp_sees_by_itself_stays(tmp_path: Path) -> None:
    """Phi-3's list has <|assistant|>, which would be a turn's end if it were eot."""
    file = quantize(ending(tmp_path / "m", "<|end|>", eos_token_id=[0, 266]), tmp_path / "q")
    _, fields = read_gguf(file)
    assert fields["tokenizer.ggml.eom_token_id"] == 266
    assert "tokenizer.ggml.eot_token_id" not in fields


def test_ends_that_are_no_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="eos_token_id lists 'stop', which is no token's id"):
        plan(ending(tmp_path / "m", eos_token_id=[0, "stop"]))


def test_what_llama_cpp_knows_by_sight_is_not_written(tmp_path: Path) -> None:
    _, fields = read_gguf(quantize(ending(tmp_path / "m", eos_token_id=[0, 265]), tmp_path / "q"))
    assert not {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} & fields.keys()
    assert gguf_config(open_checkpoint(tmp_path / "q" / "model.gguf"))["eos_token_id"] == 0


def test_an_end_too_many_is_remarked(tmp_path: Path) -> None:
    parent = ending(tmp_path / "m", eos_token_id=[0, 266, 267, 268])
    assert plan(parent).remarks == ("llama.cpp does not stop at '<quit>': a GGUF has no key left that would say so",)


def test_a_word_that_looks_like_an_end_is_remarked_and_comes_back(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe()
    tokenizer["model"]["vocab"]["</s>"] = 265
    parent, file = quantized(tmp_path, tokenizer)
    (said,) = tokenizer_remarks(read_tokenizer(parent))
    assert said == "llama.cpp takes '</s>' for the end of an answer, and out of a text before it is cut"
    assert load_tokenizer(file)("in</s>")["input_ids"][-1] == 265


def test_special_tokens_that_may_overlap_are_remarked(tmp_path: Path) -> None:
    """OLMo's; runs of one character are no matter."""
    tokens = ["|||IP|||", "|||PHONE|||", "  ", "   "]
    more = [added(0, END), *(added(265 + index, token) for index, token in enumerate(tokens))]
    parent = make_llama(tmp_path / "m", tokenizer={**byte_level_bpe(), "added_tokens": more})
    (said,) = plan(parent).remarks
    assert "('|||IP|||' and '|||PHONE|||' may), llama.cpp cuts out the longest" in said


@pytest.mark.parametrize("tokens", [("<|a|>", "<|b|>", "<a>"), ("\n", "\n\n"), ("aba",), ("ab", "abc", "b")])
def test_other_special_tokens_do_not_overlap(tokens: tuple[str, ...]) -> None:
    assert overlapping(tokens) is None


def test_chat_templates_in_files_of_their_own_are_written(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    (parent / "chat_template.jinja").write_text("{{ 'default' }}")
    (parent / "additional_chat_templates").mkdir()
    (parent / "additional_chat_templates" / "tool_use.jinja").write_text("{{ 'tools' }}")
    _, fields = read_gguf(quantize(parent, tmp_path / "q"))
    assert fields["tokenizer.chat_template"] == "{{ 'default' }}"
    assert fields["tokenizer.chat_template.tool_use"] == "{{ 'tools' }}"
    assert fields["tokenizer.chat_templates"] == ["tool_use"]


def scored(**changes: Any) -> Checkpoint:
    """A GGUF with scores that names no roles."""
    strings, floats, numbers = GGUFValueType.STRING, GGUFValueType.FLOAT32, GGUFValueType.INT32
    tokens = ("<unk>", "<s>", "</s>", "▁", "▁▁", "▁▁▁", "a", "b", "ab", "▁a")
    keys: dict[str, Any] = {
        "tokenizer.ggml.model": Value(strings, "llama"),
        "tokenizer.ggml.tokens": Value(GGUFValueType.ARRAY, tokens, strings),
        "tokenizer.ggml.scores": (0.0, 0.0, 0.0, -9.0, -5.0, -5.0, -9.0, -9.0, -1.0, -2.0),
        "tokenizer.ggml.token_type": (2, 3, 3, 1, 1, 1, 1, 1, 1, 1),
    }
    for key, kind in {"tokenizer.ggml.scores": floats, "tokenizer.ggml.token_type": numbers}.items():
        keys[key] = Value(GGUFValueType.ARRAY, changes.get(key.rpartition(".")[2], keys[key]), kind)
    return Checkpoint(Path(), "gguf", ("x.gguf",), {}, keys)


def test_what_a_gguf_with_scores_does_not_say_is_as_llama_cpp_has_it() -> None:
    found = tokenizer_json(scored())
    assert {role: index for role, (_, index) in special_tokens(scored()).items()} == {"bos": 1, "eos": 2, "unk": 0}
    assert found["post_processor"]["single"][0] == {"SpecialToken": {"id": "<s>", "type_id": 0}}
    assert found["normalizer"]["normalizers"][0] == {"type": "Prepend", "prepend": "▁"}


def test_runs_of_one_character_may_have_one_score_and_the_longest_come_first() -> None:
    merges = tokenizer_json(scored())["model"]["merges"]
    assert merges == [("a", "b"), ("▁", "a"), ("▁▁", "▁"), ("▁", "▁")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scores": (0.0, 0.0, 0.0, -9.0, -5.0, -5.0, -9.0, -9.0, -2.0, -2.0)}, "'ab' and '▁a' have one score"),
        ({"scores": (0.0, 0.0, 0.0, -9.0, -5.0, -2.0, -9.0, -9.0, -1.0, -2.0)}, "'▁▁▁' and '▁a' have one score"),
        ({"scores": (0.0, 0.0)}, "10 of 10 tokens differ, 2 have scores and 10 kinds; all must"),
        ({"scores": (0.0, 0.0, 0.0, -9.0, -5.0, -5.0, -9.0, -9.0, float("nan"), -2.0)}, "the score of 'ab' is nan"),
        ({"token_type": (1, 1)}, "10 of 10 tokens differ, 10 have scores and 2 kinds; all must"),
    ],
)
def test_scores_that_no_list_of_merges_can_say_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        tokenizer_json(scored(**changes))
