"""Byte-level BPE in a GGUF, "gpt2": tokens, merges, and the name of what cuts a text into words."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.tokenizer_types import TOKENIZER
from lineal.engines.gguf.tokenizer_tokens import integers, strings, tokens_of, types_of
from lineal.engines.tokenizers.pre_tokenizers import (
    PRE_TOKENIZERS,
    pre_tokenizer_named,
    pre_tokenizer_of,
    spelled_steps,
)
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles

BYTE_LEVEL = "gpt2"
_COMPOSES = "NFC"


def byte_level_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    del rows
    if pre_tokenizer_of(files.tokenizer) is None:
        ignores = "with" if files.model.get("ignore_merges") else "without"
        yield (
            f"{TOKENIZER}: its pre-tokenizer, {spelled_steps(files.tokenizer)} {ignores} ignore_merges, is none "
            f"of those that llama.cpp and lineal both know ({', '.join(PRE_TOKENIZERS)})"
        )
    for kind in _normalizers(files.tokenizer.get("normalizer")):
        if kind != _COMPOSES:
            yield f"{TOKENIZER}: its normalizer {kind} has no place in a GGUF"


def byte_level_remarks(files: TokenizerFiles) -> Iterator[str]:
    if _normalizers(files.tokenizer.get("normalizer")):
        yield (
            f"llama.cpp does not compose characters ({_COMPOSES}), the tokenizer does: texts that are not composed get "
            "other tokens"
        )
    known = pre_tokenizer_named(cast(str, pre_tokenizer_of(files.tokenizer)))
    if known.but:
        yield f"llama.cpp cuts {known.but}, in other places than the tokenizer"


def byte_level_metadata(files: TokenizerFiles, rows: int) -> dict[str, Value]:
    tokens, name = tokens_of(files, rows), cast(str, pre_tokenizer_of(files.tokenizer))
    return {
        "tokenizer.ggml.model": Value(GGUFValueType.STRING, BYTE_LEVEL),
        "tokenizer.ggml.pre": Value(GGUFValueType.STRING, name),
        "tokenizer.ggml.tokens": strings(tokens),
        "tokenizer.ggml.token_type": integers(types_of(files, tokens)),
        "tokenizer.ggml.merges": strings(files.merges),
        "tokenizer.ggml.add_space_prefix": Value(GGUFValueType.BOOL, content=False),
    }


def _normalizers(normalizer: Mapping[str, Any] | None) -> list[str]:
    if normalizer is None:
        return []
    parts = normalizer["normalizers"] if normalizer.get("type") == "Sequence" else [normalizer]
    return [str(part.get("type")) for part in parts]
