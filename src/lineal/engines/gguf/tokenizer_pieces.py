"""A tokenizer in SentencePiece's way in a GGUF, "llama": tokens, and a score each, by which llama.cpp merges them.

llama.cpp has no list of merges: neighbours that make a token are merged, the one of the highest score first. A token
comes to be by one pair of halves only (`merging.py`), so the rank of that pair is its score, and the two cut every text
alike as long as no two pieces that the merges leave side by side are a token together. That is checked, token by token.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from gguf import GGUFValueType, TokenType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.tokenizer_types import TOKENIZER
from lineal.engines.gguf.tokenizer_tokens import CUT_OUT, integers, strings, tokens_of, types_of
from lineal.engines.tokenizers.merging import Merged, merged
from lineal.engines.tokenizers.sentence_pieces import BYTES, SPACE, SentencePieces, sentence_pieces_of, steps_of
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles
from lineal.shown import quoted

PIECES = "llama"
_SHOWN = 3


def piece_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    found = sentence_pieces_of(files.tokenizer)
    if found is None:
        steps = quoted(steps_of(files.tokenizer))
        yield f"{TOKENIZER}: before it merges it does {steps}, which llama.cpp does not know with byte_fallback"
        return
    if files.model.get("ignore_merges"):
        yield f"{TOKENIZER}: ignore_merges has no place in a GGUF with scores"
    missing = [token for byte, token in enumerate(BYTES) if not _has_byte(files, byte, token)]
    if missing:
        yield f"{TOKENIZER}: has byte_fallback and {len(missing)} of 256 bytes not, {missing[0]} among them"
    of_bytes = [merge for merge in files.merges if not set(merge.split(" ")).isdisjoint(BYTES)]
    if of_bytes:
        yield f"{TOKENIZER}: merges bytes ({quoted(of_bytes[0])}), which llama.cpp does not"
    for token in files.added if files.tokenizer.get("normalizer") is not None else ():
        if token.get("normalized") and (found.prefix or SPACE in token["content"] or " " in token["content"]):
            yield (
                f"{TOKENIZER}: looks for {quoted(token['content'])} among spaces that are {SPACE} already "
                "(normalized is true), which llama.cpp does not"
            )
    left = [token for token, made in _in_texts(files, rows) if len(made.pieces) == 2]
    if left:
        several = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        yield (
            f"{TOKENIZER}: no merge makes {', '.join(map(quoted, left[:_SHOWN]))}{several} of its two pieces; "
            "llama.cpp would"
        )


def piece_remarks(files: TokenizerFiles) -> Iterator[str]:
    found = cast(SentencePieces, sentence_pieces_of(files.tokenizer))
    if found.spared:
        yield (
            f"llama.cpp puts {SPACE} before texts that begin with a space, too, and before what follows special "
            "tokens; the tokenizer does not always"
        )


def piece_metadata(files: TokenizerFiles, rows: int) -> dict[str, Value]:
    found, tokens = cast(SentencePieces, sentence_pieces_of(files.tokenizer)), tokens_of(files, rows)
    scores = _scores(files)
    lowest = -float(len(scores))
    return {
        "tokenizer.ggml.model": Value(GGUFValueType.STRING, PIECES),
        "tokenizer.ggml.pre": Value(GGUFValueType.STRING, "default"),
        "tokenizer.ggml.tokens": strings(tokens),
        "tokenizer.ggml.scores": Value(
            GGUFValueType.ARRAY, tuple(scores.get(token, lowest) for token in tokens), GGUFValueType.FLOAT32
        ),
        "tokenizer.ggml.token_type": integers(_types(files, tokens)),
        "tokenizer.ggml.add_space_prefix": Value(GGUFValueType.BOOL, found.prefix),
        **_unknown(files),
    }


def _in_texts(files: TokenizerFiles, rows: int) -> Iterator[tuple[str, Merged]]:
    """The tokens that a text may still hold when it is merged, and what the merges leave of them."""
    tokens = tokens_of(files, rows)
    for token, kind in zip(tokens, _types(files, tokens), strict=True):
        if len(token) > 1 and (kind not in CUT_OUT or SPACE in token):
            yield token, files.made[token] if token in files.made else merged(token, files.rank)


def _scores(files: TokenizerFiles) -> dict[str, float]:
    """Of the tokens that merges make: 0, -1, -2... in the order in which they are made."""
    ranks = {token: files.rank(*found.halves) for token, found in files.made.items() if found.halves}
    return {token: -float(index) for index, token in enumerate(sorted(ranks, key=ranks.__getitem__))}


def _types(files: TokenizerFiles, tokens: Sequence[str]) -> tuple[TokenType, ...]:
    """Bytes and the unknown token have kinds of their own.

    Runs of ▁ that are added (Gemma's) are ordinary: a text has spaces in their place, and as user-defined tokens
    llama.cpp would write them out as ▁.
    """
    unknown, bytes_ = files.model.get("unk_token"), frozenset(BYTES)

    def kind(token: str, known: TokenType) -> TokenType:
        if known is TokenType.NORMAL and token in bytes_:
            return TokenType.BYTE
        if known in CUT_OUT and token == unknown:
            return TokenType.UNKNOWN
        if known is TokenType.USER_DEFINED and SPACE in token:
            return TokenType.NORMAL
        return known

    return tuple(kind(token, known) for token, known in zip(tokens, types_of(files, tokens), strict=True))


def _unknown(files: TokenizerFiles) -> dict[str, Value]:
    """llama.cpp would take token 0 for it; what tokenizer_config.json declares comes before."""
    found = files.vocabulary.get(files.model.get("unk_token") or "")
    return {} if found is None else {"tokenizer.ggml.unknown_token_id": Value(GGUFValueType.UINT32, found)}


def _has_byte(files: TokenizerFiles, byte: int, token: str) -> bool:
    return token in files.vocabulary or (byte < 128 and chr(byte) in files.vocabulary)
