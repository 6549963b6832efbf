"""A tokenizer goes into a GGUF and comes back: the same ids for every text, and what is put around a text."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.checkpoint.reader import Checkpoint, open_checkpoint
from lineal.engines.gguf.tokenizer_back import tokenizer_json
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.tokenizers.pre_tokenizers import PRE_TOKENIZERS
from lineal.errors import CheckpointError
from tests.builders import write_json
from tests.engines.quantizations import quantize
from tests.ggufs import random_gguf
from tests.llamas import BYTE_LEVEL, END, added, byte_level_bpe, make_llama, read_gguf

BYTES_ONLY = {**BYTE_LEVEL, "use_regex": False}
DIGITS = {"type": "Digits", "individual_digits": True}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = QWEN2.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def sequence(*steps: Any) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def split(expression: str, **changes: Any) -> dict[str, Any]:
    """Words by an expression, then bytes."""
    step = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return sequence({**step, **changes}, BYTES_ONLY)


def template(*pieces: str) -> dict[str, Any]:
    """A post-processor; $ is the text."""
    single = [
        {"Sequence": {"id": "A", "type_id": 0}} if piece == "$" else {"SpecialToken": {"id": piece, "type_id": 0}}
        for piece in pieces
    ]
    known = {piece: {"id": piece, "ids": [0], "tokens": [piece]} for piece in pieces if piece != "$"}
    return {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": known}


TOKENIZERS: dict[str, dict[str, Any]] = {
    "gpt-2": byte_level_bpe(),
    "smollm": {**byte_level_bpe(), "pre_tokenizer": sequence(DIGITS, BYTE_LEVEL)},
    "llama-bpe": {**byte_level_bpe(ignore_merges=True), "pre_tokenizer": split(LLAMA3)},
    "dbrx": {**byte_level_bpe(), "pre_tokenizer": split(LLAMA3, behavior="Removed", invert=True)},
    "qwen2": {**byte_level_bpe(), "pre_tokenizer": split(QWEN2)},
    "qwen35": {**byte_level_bpe(), "pre_tokenizer": split(QWEN35)},
    "tekken": {**byte_level_bpe(ignore_merges=True), "pre_tokenizer": split(TEKKEN)},
    "gpt-4o": {**byte_level_bpe(), "pre_tokenizer": split(GPT4O)},
}
"""What is published of each; dbrx as OLMo 2 writes it."""
TEXTS = ["the end", f"a{END}b{END}", "  the 1212  312\n\n\tTHE'RE é世界🚀 ", "don't 'LL", "", "12 the in\r\n  er"]


def quantized(folder: Path, tokenizer: dict[str, Any], rows: int = 272, **configs: Any) -> tuple[Path, Path]:
    parent = make_llama(folder / "m", tokenizer=tokenizer, bos_token_id=0, vocab_size=rows)
    write_json(parent / "tokenizer_config.json", {"eos_token": END, "bos_token": END, **configs})
    return parent, quantize(parent, folder / "q")


def test_every_pre_tokenizer_that_is_known_is_tested() -> None:
    assert TOKENIZERS.keys() == PRE_TOKENIZERS.keys()


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("around", [("$",), (END, "$"), ("$", END), (END, "$", END)])
def test_texts_have_the_same_ids(tmp_path: Path, name: str, around: tuple[str, ...]) -> None:
    parent, file = quantized(tmp_path, {**TOKENIZERS[name], "post_processor": template(*around)})
    theirs, ours = load_tokenizer(parent), load_tokenizer(file)
    _, fields = read_gguf(file)
    assert fields["tokenizer.ggml.pre"] == name
    assert fields["tokenizer.ggml.add_bos_token"] is (around[0] == END)
    assert fields["tokenizer.ggml.add_eos_token"] is (around[-1] == END)
    for text in TEXTS:
        ids = theirs(text)["input_ids"]
        assert ours(text)["input_ids"] == ids
        assert ours.decode(ids) == theirs.decode(ids)


@pytest.fixture(scope="module", params=[name for name in TOKENIZERS if not PRE_TOKENIZERS[name].but])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    parent, file = quantized(tmp_path_factory.mktemp("tokenizers"), TOKENIZERS[request.param])
    return load_tokenizer(parent), load_tokenizer(file)


@settings(max_examples=100)
@given(st.text(st.sampled_from("theinran 12Ġ\n\r\t'sRE.,é世🚀<|>" + "\u00a0\u2003\u0301"), max_size=30))
def test_any_text_has_the_same_ids(both: tuple[Any, Any], text: str) -> None:
    assert both[0](text)["input_ids"] == both[1](text)["input_ids"]


def test_a_byte_level_post_processor_and_a_sequence_of_one_change_nothing(tmp_path: Path) -> None:
    steps = {"type": "Sequence", "processors": [BYTE_LEVEL, template(END, "$")]}
    parent, file = quantized(
        tmp_path, {**byte_level_bpe(), "pre_tokenizer": sequence(BYTE_LEVEL), "post_processor": steps}
    )
    assert load_tokenizer(file)("in")["input_ids"] == load_tokenizer(parent)("in")["input_ids"]
    assert len(load_tokenizer(file)("in")["input_ids"]) == 2


def test_merges_may_be_written_with_a_space(tmp_path: Path) -> None:
    written = byte_level_bpe(merges=["Ġ t", "h e", "Ġt he"])
    _, file = quantized(tmp_path, written)
    assert read_gguf(file)[1]["tokenizer.ggml.merges"] == ["Ġ t", "h e", "Ġt he"]


def test_added_tokens_are_control_or_user_defined(tmp_path: Path) -> None:
    tokens = [added(0, END), added(265, "<think>", special=False), added(266, "<|tool|>", special=False)]
    parent, file = quantized(tmp_path, {**byte_level_bpe(), "added_tokens": tokens})
    assert read_gguf(file)[1]["tokenizer.ggml.token_type"][264:] == [1, 4, 3, 5, 5, 5, 5, 5]
    text = "in<think> the<|tool|>in [PAD267]"
    assert load_tokenizer(file)(text)["input_ids"] == load_tokenizer(parent)(text)["input_ids"]


def test_special_tokens_and_chat_templates_come_back(tmp_path: Path) -> None:
    templates = [{"name": "default", "template": "{{ messages[0]['content'] }}!"}, {"name": "tool", "template": "t"}]
    _, file = quantized(tmp_path, byte_level_bpe(), pad_token="!", unk_token='"', chat_template=templates)
    _, fields = read_gguf(file)
    assert (fields["tokenizer.ggml.padding_token_id"], fields["tokenizer.ggml.unknown_token_id"]) == (1, 2)
    assert fields["tokenizer.chat_templates"] == ["tool"]
    assert fields["tokenizer.chat_template.tool"] == "t"
    found = load_tokenizer(file)
    assert (found.eos_token, found.bos_token, found.pad_token, found.unk_token) == (END, END, "!", '"')
    assert found.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "hi!"


def test_a_post_processor_must_add_the_token_with_the_role(tmp_path: Path) -> None:
    tokenizer = {**byte_level_bpe(), "post_processor": template(END, "$")}
    parent = make_llama(tmp_path / "m", tokenizer=tokenizer, bos_token_id=1)
    with pytest.raises(CheckpointError, match="its post-processor adds token 0, the bos token is 1"):
        quantize(parent, tmp_path / "q")


@pytest.mark.parametrize("pieces", [(END, END, "$"), ("$", "$"), ("$", END, END)])
def test_a_template_that_adds_more_is_refused(tmp_path: Path, pieces: tuple[str, ...]) -> None:
    with pytest.raises(CheckpointError, match="does more than to put one token before a text and one after it"):
        quantized(tmp_path, {**byte_level_bpe(), "post_processor": template(*pieces)})


def test_where_a_gguf_says_nothing_llama_cpp_s_default_holds(tmp_path: Path) -> None:
    _, file = quantized(tmp_path, TOKENIZERS["llama-bpe"])
    checkpoint = open_checkpoint(file)
    silent = {key: value for key, value in checkpoint.metadata.items() if "add_" not in key}
    found = tokenizer_json(Checkpoint(file.parent, "gguf", (file.name,), {}, silent))
    assert found["post_processor"]["single"][0] == {"SpecialToken": {"id": END, "type_id": 0}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokenizer.ggml.model": "t5"}, "a 't5' tokenizer; those that can be run: gpt2, llama"),
        (
            {"tokenizer.ggml.pre": "falcon"},
            "the pre-tokenizer 'falcon' is not known here .known: gpt-2, smollm, llama-bpe, dbrx, qwen2",
        ),
        ({"tokenizer.ggml.model": "llama"}, "tokenizer.ggml.scores must be an array of FLOAT32, got None"),
        ({"tokenizer.ggml.pre": None}, "tokenizer.ggml.pre must be a text, got None"),
        ({"tokenizer.ggml.merges": None}, "tokenizer.ggml.merges must be an array of STRING, got None"),
        ({"tokenizer.ggml.eos_token_id": 5}, "tokenizer.ggml.eos_token_id is 5 of 3 tokens"),
        ({"tokenizer.ggml.bos_token_id": None}, "adds a bos token to texts and names none"),
        ({"tokenizer.ggml.merges": ["x y"]}, "its tokenizer cannot be built"),
    ],
)
def test_a_foreign_tokenizer_that_is_not_understood_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    from gguf import GGUFValueType as Kind

    keys = {
        "general.architecture": (Kind.STRING, "llama"),
        "tokenizer.ggml.model": (Kind.STRING, "gpt2"),
        "tokenizer.ggml.pre": (Kind.STRING, "gpt-2"),
        "tokenizer.ggml.tokens": (Kind.ARRAY, ["a", "b", "ab"], Kind.STRING),
        "tokenizer.ggml.token_type": (Kind.ARRAY, [1, 1, 1], Kind.INT32),
        "tokenizer.ggml.merges": (Kind.ARRAY, ["a b"], Kind.STRING),
        "tokenizer.ggml.add_bos_token": (Kind.BOOL, True),
        "tokenizer.ggml.bos_token_id": (Kind.UINT32, 0),
        "tokenizer.ggml.eos_token_id": (Kind.UINT32, 1),
    }
    changed = {key: (value[0], changes.get(key, value[1]), *value[2:]) for key, value in keys.items()}
    kept = {key: value for key, value in changed.items() if value[1] is not None}
    with pytest.raises(CheckpointError, match=said):
        load_tokenizer(random_gguf(tmp_path / "x.gguf", metadata=kept))
