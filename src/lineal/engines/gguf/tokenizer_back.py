"""The tokenizer that a GGUF holds: the inverse of gguf_tokenizer.py, as far as it matters to the ids of a text."""

from collections.abc import Sequence
from typing import Any, cast

from gguf import TokenType

from lineal.checkpoint.headers.gguf_metadata import Scalar
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.tokenizer_keys import SPECIAL_KEYS
from lineal.engines.tokenizers.pre_tokenizers import byte_level, pre_tokenizer_named
from lineal.engines.tokenizers.tokenizer_files import Special
from lineal.errors import CheckpointError
from lineal.shown import quoted

_TEMPLATE = "tokenizer.chat_template"
_WHOLE = frozenset({TokenType.CONTROL, TokenType.USER_DEFINED})
"""Tokens that are found in a text before it is cut into words."""


def tokenizer_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """A tokenizer.json that gives texts the ids that llama.cpp gives them."""
    if _text(checkpoint, "tokenizer.ggml.model") != "gpt2":
        model = _text(checkpoint, "tokenizer.ggml.model")
        raise CheckpointError(
            f"{checkpoint.path}: a {quoted(model)} tokenizer; only byte-level BPE, 'gpt2', can be run"
        )
    tokens = cast(tuple[str, ...], _items(checkpoint, "tokenizer.ggml.tokens", "STRING"))
    merges = cast(tuple[str, ...], _items(checkpoint, "tokenizer.ggml.merges", "STRING"))
    known = pre_tokenizer_named(_text(checkpoint, "tokenizer.ggml.pre"))
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": index, "content": tokens[index], "special": kind == TokenType.CONTROL, **plain}
            for index, kind in enumerate(_items(checkpoint, "tokenizer.ggml.token_type", "INT32"))
            if kind in _WHOLE
        ],
        "pre_tokenizer": known.steps,
        "post_processor": _post_processor(checkpoint, adds_bos=known.adds_bos),
        "decoder": byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in merges],
            "ignore_merges": known.ignore_merges,
        },
    }


def special_tokens(checkpoint: Checkpoint) -> dict[Special, tuple[str, int]]:
    """The tokens with a role, and their ids."""
    tokens = cast(tuple[str, ...], _items(checkpoint, "tokenizer.ggml.tokens", "STRING"))
    special: dict[Special, tuple[str, int]] = {}
    for role, key in SPECIAL_KEYS.items():
        value = checkpoint.metadata.get(key)
        if value is None:
            continue
        if not isinstance(value.content, int) or not 0 <= value.content < len(tokens):
            raise CheckpointError(f"{checkpoint.path}: {key} is {quoted(value.content)} of {len(tokens)} tokens")
        special[role] = tokens[value.content], value.content
    return special


def chat_template(checkpoint: Checkpoint) -> str | None:
    return _text(checkpoint, _TEMPLATE) if _TEMPLATE in checkpoint.metadata else None


def _post_processor(checkpoint: Checkpoint, *, adds_bos: bool) -> dict[str, Any] | None:
    """What puts the first and the last token around a text; None if there are none."""
    special = special_tokens(checkpoint)
    added = {role: _flag(checkpoint, role, default=default) for role, default in (("bos", adds_bos), ("eos", False))}
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


def _flag(checkpoint: Checkpoint, role: str, *, default: bool) -> bool:
    value = checkpoint.metadata.get(f"tokenizer.ggml.add_{role}_token")
    return default if value is None else bool(value.content)


def _text(checkpoint: Checkpoint, key: str) -> str:
    value = checkpoint.metadata.get(key)
    if value is None or not isinstance(value.content, str):
        raise CheckpointError(f"{checkpoint.path}: {key} must be a text, got {value}")
    return value.content


def _items(checkpoint: Checkpoint, key: str, kind: str) -> Sequence[Scalar]:
    value = checkpoint.metadata.get(key)
    if value is None or value.items is None or value.items.name != kind:
        raise CheckpointError(f"{checkpoint.path}: {key} must be an array of {kind}, got {str(value)[:80]}")
    return cast(tuple[Scalar, ...], value.content)
