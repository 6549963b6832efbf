"""A byte-level BPE tokenizer as the keys of a GGUF from which llama.cpp builds its own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast, get_args

from gguf import GGUFValueType, TokenType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.tokenizer_types import SETTINGS, TOKENIZER
from lineal.engines.tokenizers.chat_templates import DEFAULT
from lineal.engines.tokenizers.pre_tokenizers import PRE_TOKENIZERS, pre_tokenizer_of
from lineal.engines.tokenizers.tokenizer_files import Special, TokenizerFiles
from lineal.shown import quoted

SPECIAL_KEYS: Mapping[Special, str] = {
    "bos": "tokenizer.ggml.bos_token_id",
    "eos": "tokenizer.ggml.eos_token_id",
    "unk": "tokenizer.ggml.unknown_token_id",
    "pad": "tokenizer.ggml.padding_token_id",
}


def tokenizer_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    """Why llama.cpp would not cut texts into the same tokens; rows: of the embedding."""
    model, decoder = files.model, files.tokenizer.get("decoder") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback") or decoder.get("type") != "ByteLevel":
        yield f"{TOKENIZER}: a {model.get('type')} tokenizer; byte-level BPE is what can be written"
        return
    if pre_tokenizer_of(files.tokenizer) is None:
        known = ", ".join(PRE_TOKENIZERS)
        yield f"{TOKENIZER}: its pre-tokenizer is none of those that llama.cpp and lineal both know ({known})"
    if files.tokenizer.get("normalizer") is not None:
        yield f"{TOKENIZER}: its normalizer {files.tokenizer['normalizer'].get('type')} has no place in a GGUF"
    for option in ("continuing_subword_prefix", "end_of_word_suffix", "dropout"):
        if model.get(option):
            yield f"{TOKENIZER}: {option} {quoted(model[option])} has no place in a GGUF"
    for token in files.added:
        if token.get("lstrip") or token.get("rstrip") or token.get("single_word"):
            yield f"{TOKENIZER}: {quoted(token['content'])} minds the characters beside it, which llama.cpp would not"
    if any(merge.count(" ") != 1 for merge in files.merges):
        yield f"{TOKENIZER}: a merge with spaces in its halves, which byte-level BPE does not have"
    yield from _row_faults(files, rows)
    yield from _special_faults(files, rows)


def _row_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    largest = max(files.vocabulary.values(), default=-1)
    if largest >= rows:
        yield f"{TOKENIZER}: has token {largest}, the embedding {rows} rows"
    elif len(set(files.vocabulary.values())) < len(files.vocabulary):
        yield f"{TOKENIZER}: two of its tokens have one id"
    elif len(set(_tokens(files, rows))) < rows:
        yield f"{TOKENIZER}: one of its tokens is spelled like an unused row, [PADn]"


def _special_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    for role in get_args(Special):
        token, found = files.declared(role), files.special_id(role)
        if token is not None and found is None:
            yield f"{SETTINGS}: the {role}_token {quoted(token)} is not in the vocabulary"
        elif found is not None and not 0 <= found < rows:
            yield f"{role}_token_id is {found}, the embedding has {rows} rows"
        elif found is None and role == "eos":
            yield f"no eos_token in {SETTINGS} or the config; llama.cpp would take token 11 for it"
    around = files.around()
    if around is None:
        yield f"{TOKENIZER}: its post-processor does more than to put one token before a text and one after it"
        return
    for role, added in zip(("bos", "eos"), around, strict=True):
        if added is not None and added != files.special_id(role):
            yield f"{TOKENIZER}: its post-processor adds token {added}, the {role} token is {files.special_id(role)}"


def tokenizer_metadata(files: TokenizerFiles, rows: int) -> dict[str, Value]:
    """The keys of a tokenizer without faults; rows of the embedding that no token has are named [PADn]."""
    first, last = cast(tuple[int | None, int | None], files.around())
    tokens, ids = _tokens(files, rows), {key: files.special_id(role) for role, key in SPECIAL_KEYS.items()}
    return {
        "tokenizer.ggml.model": _string("gpt2"),
        "tokenizer.ggml.pre": _string(cast(str, pre_tokenizer_of(files.tokenizer))),
        "tokenizer.ggml.tokens": _strings(tokens),
        "tokenizer.ggml.token_type": Value(GGUFValueType.ARRAY, _types(files, tokens), GGUFValueType.INT32),
        "tokenizer.ggml.merges": _strings(files.merges),
        "tokenizer.ggml.add_bos_token": Value(GGUFValueType.BOOL, first is not None),
        "tokenizer.ggml.add_eos_token": Value(GGUFValueType.BOOL, last is not None),
        "tokenizer.ggml.add_space_prefix": Value(GGUFValueType.BOOL, content=False),
        **{key: Value(GGUFValueType.UINT32, found) for key, found in ids.items() if found is not None},
        **_templates(files.chat_templates),
    }


def _tokens(files: TokenizerFiles, rows: int) -> tuple[str, ...]:
    by_id = {index: token for token, index in files.vocabulary.items()}
    return tuple(by_id.get(index, f"[PAD{index}]") for index in range(rows))


def _types(files: TokenizerFiles, tokens: Sequence[str]) -> tuple[int, ...]:
    added = {str(token["content"]): bool(token.get("special")) for token in files.added}

    def kind(token: str) -> TokenType:
        if token not in files.vocabulary:
            return TokenType.UNUSED
        if token not in added:
            return TokenType.NORMAL
        looks_special = token.startswith("<|") and token.endswith("|>")  # as llama.cpp's converter judges
        return TokenType.CONTROL if added[token] or looks_special else TokenType.USER_DEFINED

    return tuple(int(kind(token)) for token in tokens)


def _templates(templates: Mapping[str, str]) -> dict[str, Value]:
    others = sorted(templates.keys() - {DEFAULT})
    keys = {f"tokenizer.chat_template.{name}": _string(templates[name]) for name in others}
    if others:
        keys["tokenizer.chat_templates"] = _strings(others)
    return keys | ({"tokenizer.chat_template": _string(templates[DEFAULT])} if DEFAULT in templates else {})


def _string(text: str) -> Value:
    return Value(GGUFValueType.STRING, text)


def _strings(texts: Sequence[str]) -> Value:
    return Value(GGUFValueType.ARRAY, tuple(texts), GGUFValueType.STRING)
