"""The tokenizer that a GGUF holds: the inverse of tokenizer_keys.py, as far as it matters to the ids of a text."""

from collections.abc import Mapping
from typing import Any

from gguf import TokenType

from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.tokenizer_byte_level import BYTE_LEVEL
from lineal.engines.gguf.tokenizer_endings import ENDS_BY_SIGHT
from lineal.engines.gguf.tokenizer_keys import SPECIAL_KEYS
from lineal.engines.gguf.tokenizer_merges import merges_of
from lineal.engines.gguf.tokenizer_pieces import PIECES
from lineal.engines.gguf.tokenizer_stored import flag_of, integers_of, strings_of, text_of
from lineal.engines.gguf.tokenizer_tokens import CUT_OUT
from lineal.engines.gguf.tokenizer_white_space import drops
from lineal.engines.tokenizers.pre_tokenizers import byte_level, pre_tokenizer_named
from lineal.engines.tokenizers.sentence_pieces import SentencePieces, decoder_of, normalizer_of
from lineal.engines.tokenizers.tokenizer_files import Special
from lineal.errors import CheckpointError
from lineal.shown import quoted

_MODEL, _PRE = "tokenizer.ggml.model", "tokenizer.ggml.pre"
_TEMPLATE, _NAME = "tokenizer.chat_template", "general.name"
_UNSAID: Mapping[Special, int] = {"bos": 1, "eos": 2, "unk": 0}
"""The tokens with a role in a GGUF with scores that names none."""


def tokenizer_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """A tokenizer.json that gives texts the ids that llama.cpp gives them."""
    model = text_of(checkpoint, _MODEL)
    if model == PIECES:
        return _in_pieces(checkpoint)
    if model != BYTE_LEVEL:
        raise CheckpointError(
            f"{checkpoint.path}: a {quoted(model)} tokenizer; those that can be run: {BYTE_LEVEL}, {PIECES}"
        )
    tokens = strings_of(checkpoint, "tokenizer.ggml.tokens")
    merges = strings_of(checkpoint, "tokenizer.ggml.merges")
    known = pre_tokenizer_named(text_of(checkpoint, _PRE))
    return {
        "version": "1.0",
        "added_tokens": _added(checkpoint, tokens),
        "pre_tokenizer": known.steps if known.cut is None else known.cut,
        "post_processor": _post_processor(checkpoint, adds_bos=known.adds_bos),
        "decoder": byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in merges],
            "ignore_merges": known.ignore_merges,
        },
    }


def _in_pieces(checkpoint: Checkpoint) -> dict[str, Any]:
    """Of a GGUF with scores; llama.cpp does not ask for its pre-tokenizer."""
    tokens = strings_of(checkpoint, "tokenizer.ggml.tokens")
    steps = SentencePieces(prefix=flag_of(checkpoint, "tokenizer.ggml.add_space_prefix", default=True))
    unknown = special_tokens(checkpoint).get("unk")
    return {
        "version": "1.0",
        "added_tokens": _added(checkpoint, tokens),
        "normalizer": normalizer_of(steps),
        "post_processor": _post_processor(checkpoint, adds_bos=True),
        "decoder": decoder_of(steps),
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": merges_of(checkpoint),
            "unk_token": None if unknown is None else unknown[0],
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def special_tokens(checkpoint: Checkpoint) -> dict[Special, tuple[str, int]]:
    """The tokens with a role, and their ids."""
    tokens = strings_of(checkpoint, "tokenizer.ggml.tokens")
    model = checkpoint.metadata.get(_MODEL)
    unsaid = _UNSAID if model is not None and model.content == PIECES else {}
    special: dict[Special, tuple[str, int]] = {}
    for role, key in SPECIAL_KEYS.items():
        value = checkpoint.metadata.get(key)
        found = unsaid.get(role) if value is None else value.content
        if found is None or (value is None and role in unsaid and unsaid[role] >= len(tokens)):
            continue
        if not isinstance(found, int) or not 0 <= found < len(tokens):
            raise CheckpointError(f"{checkpoint.path}: {key} is {quoted(found)} of {len(tokens)} tokens")
        special[role] = tokens[found], found
    return special


def chat_template(checkpoint: Checkpoint) -> str | None:
    return text_of(checkpoint, _TEMPLATE) if _TEMPLATE in checkpoint.metadata else None


def _added(checkpoint: Checkpoint, tokens: tuple[str, ...]) -> list[dict[str, Any]]:
    """The tokens that are found in a text as it stands."""
    name = text_of(checkpoint, _NAME) if _NAME in checkpoint.metadata else ""
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [
        {
            "id": index,
            "content": tokens[index],
            "special": kind != TokenType.USER_DEFINED,
            **plain,
            "rstrip": drops(name, tokens[index]),
        }
        for index, kind in enumerate(integers_of(checkpoint, "tokenizer.ggml.token_type"))
        if kind in CUT_OUT or tokens[index] in ENDS_BY_SIGHT
    ]


def _post_processor(checkpoint: Checkpoint, *, adds_bos: bool) -> dict[str, Any] | None:
    """What puts the first and the last token around a text; None if there are none."""
    special = special_tokens(checkpoint)
    added = {
        role: flag_of(checkpoint, f"tokenizer.ggml.add_{role}_token", default=default)
        for role, default in (("bos", adds_bos), ("eos", False))
    }
    for role in ("bos", "eos"):
        if added[role] and role not in special:
            raise CheckpointError(f"{checkpoint.path}: adds a {role} token to texts and names none")
    used = {role: special[role] for role in ("bos", "eos") if added[role]}
    if not used:
        return None
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    around = {role: [{"SpecialToken": {"id": token, "type_id": 0}}] for role, (token, _) in used.items()}
    single = [*around.get("bos", []), *text, *around.get("eos", [])]
    known = {token: {"id": token, "ids": [index], "tokens": [token]} for token, index in used.values()}
    pair = [*text, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": known}
