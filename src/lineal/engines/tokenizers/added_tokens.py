"""A tokenizer with more tokens than it had: each is found in a text as it stands, before anything is merged."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lineal.checkpoint.tokenizer_types import SETTINGS, TOKENIZER

_ADDED = "added_tokens.json"
_FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
"""How transformers adds a word."""


def with_added_tokens(
    files: Mapping[str, bytes], appended: Mapping[str, int], known: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    """The files of a tokenizer, with the tokens in all of them that list added ones.

    appended: token -> id, behind all that there are; known: added tokens of other tokenizers, as their tokenizer.json
    has them: a token is added as the first of them adds it.
    """
    if not appended:
        return dict(files)
    entries = [{"id": index, "content": token, **_flags(token, known)} for token, index in appended.items()]
    tokenizer: dict[str, Any] = json.loads(files[TOKENIZER])
    tokenizer["added_tokens"] = [*(tokenizer.get("added_tokens") or []), *entries]
    edited = {TOKENIZER: json.dumps(tokenizer, ensure_ascii=False, indent=2).encode()}
    settings: dict[str, Any] = json.loads(files.get(SETTINGS, b"{}"))
    if isinstance(settings.get("added_tokens_decoder"), dict):
        decoder = {str(entry["id"]): {key: value for key, value in entry.items() if key != "id"} for entry in entries}
        settings["added_tokens_decoder"] = {**settings["added_tokens_decoder"], **decoder}
        edited[SETTINGS] = json.dumps(settings, ensure_ascii=False, indent=2).encode()
    if _ADDED in files:
        edited[_ADDED] = json.dumps({**json.loads(files[_ADDED]), **appended}, ensure_ascii=False, indent=2).encode()
    return {**files, **edited}


def _flags(token: str, known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = next((entry for entry in known if entry["content"] == token), {})
    return {flag: found.get(flag, default) for flag, default in _FLAGS.items()}
