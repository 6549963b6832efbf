"""The tokens of a GGUF, one a row of the embedding, and what kind each is."""

from collections.abc import Sequence

from gguf import GGUFValueType, TokenType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles

CUT_OUT = frozenset({TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNKNOWN})
"""Tokens that are found in a text before it is cut into words."""


def tokens_of(files: TokenizerFiles, rows: int) -> tuple[str, ...]:
    """Rows that no token has are named [PADn]."""
    by_id = {index: token for token, index in files.vocabulary.items()}
    return tuple(by_id.get(index, f"[PAD{index}]") for index in range(rows))


def types_of(files: TokenizerFiles, tokens: Sequence[str]) -> tuple[TokenType, ...]:
    added = {str(token["content"]): bool(token.get("special")) for token in files.added}

    def kind(token: str) -> TokenType:
        if token not in files.vocabulary:
            return TokenType.UNUSED
        if token not in added:
            return TokenType.NORMAL
        looks_special = token.startswith("<|") and token.endswith("|>")  # as llama.cpp's converter judges
        return TokenType.CONTROL if added[token] or looks_special else TokenType.USER_DEFINED

    return tuple(kind(token) for token in tokens)


def strings(texts: Sequence[str]) -> Value:
    return Value(GGUFValueType.ARRAY, tuple(texts), GGUFValueType.STRING)


def integers(numbers: Sequence[int]) -> Value:
    return Value(GGUFValueType.ARRAY, tuple(int(number) for number in numbers), GGUFValueType.INT32)
