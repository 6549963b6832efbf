"""A tokenizer as the keys of a GGUF from which llama.cpp builds its own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast, get_args

from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.tokenizer_types import SETTINGS, TOKENIZER
from lineal.engines.gguf.tokenizer_byte_level import byte_level_faults, byte_level_metadata, byte_level_remarks
from lineal.engines.gguf.tokenizer_endings import ending_faults, ending_metadata, ending_remarks
from lineal.engines.gguf.tokenizer_overlaps import overlap_remarks
from lineal.engines.gguf.tokenizer_pieces import piece_faults, piece_metadata, piece_remarks
from lineal.engines.gguf.tokenizer_tokens import strings, tokens_of
from lineal.engines.gguf.tokenizer_white_space import white_space_faults
from lineal.engines.tokenizers.chat_templates import DEFAULT
from lineal.engines.tokenizers.tokenizer_files import Special, TokenizerFiles
from lineal.shown import quoted

SPECIAL_KEYS: Mapping[Special, str] = {
    "bos": "tokenizer.ggml.bos_token_id",
    "eos": "tokenizer.ggml.eos_token_id",
    "unk": "tokenizer.ggml.unknown_token_id",
    "pad": "tokenizer.ggml.padding_token_id",
}


def tokenizer_faults(files: TokenizerFiles, rows: int, name: str) -> Iterator[str]:
    """Why llama.cpp would not cut texts into the same tokens; rows: of the embedding; name: general.name."""
    model, decoder = files.model, files.tokenizer.get("decoder") or {}
    if model.get("type") != "BPE" or not (model.get("byte_fallback") or decoder.get("type") == "ByteLevel"):
        kind = quoted(model.get("type"))
        yield f"{TOKENIZER}: a {kind} tokenizer; what can be written is BPE, byte-level or with byte_fallback"
        return
    for option in ("continuing_subword_prefix", "end_of_word_suffix", "dropout"):
        if model.get(option):
            yield f"{TOKENIZER}: {option} {quoted(model[option])} has no place in a GGUF"
    if any(merge.count(" ") != 1 for merge in files.merges):
        yield f"{TOKENIZER}: a merge with spaces in its halves, which a GGUF cannot hold"
        return
    yield from (piece_faults if model.get("byte_fallback") else byte_level_faults)(files, rows)
    yield from white_space_faults(files, name)
    yield from _row_faults(files, rows)
    yield from _special_faults(files, rows)
    yield from ending_faults(files)


def tokenizer_remarks(files: TokenizerFiles) -> Iterator[str]:
    """For which texts llama.cpp has other tokens all the same, whatever a GGUF says."""
    yield from (piece_remarks if files.model.get("byte_fallback") else byte_level_remarks)(files)
    yield from overlap_remarks(files)
    yield from ending_remarks(files)


def _row_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    largest = max(files.vocabulary.values(), default=-1)
    if largest >= rows:
        yield f"{TOKENIZER}: has token {largest}, the embedding {rows} rows"
    elif len(set(files.vocabulary.values())) < len(files.vocabulary):
        yield f"{TOKENIZER}: two of its tokens have one id"
    elif len(set(tokens_of(files, rows))) < rows:
        yield f"{TOKENIZER}: one of its tokens is spelled like an unused row, [PADn]"
    for token in files.added:
        known = files.model["vocab"].get(token["content"], token["id"])
        if known != token["id"]:
            yield f"{TOKENIZER}: {quoted(token['content'])} is token {known}, and added as token {token['id']}"


def _special_faults(files: TokenizerFiles, rows: int) -> Iterator[str]:
    for role in get_args(Special):
        token, found = files.declared(role), files.special_id(role)
        if token is not None and found is None:
            yield f"{SETTINGS}: the {role}_token {quoted(token)} is not in the vocabulary"
        elif found is not None and not 0 <= found < rows:
            yield f"{role}_token_id is {found}, the embedding has {rows} rows"
        elif found is None and role == "eos":
            guess = 2 if files.model.get("byte_fallback") else 11
            yield f"no eos_token in {SETTINGS} or the config; llama.cpp would take token {guess} for it"
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
    ids = {key: files.special_id(role) for role, key in SPECIAL_KEYS.items()}
    return {
        **(piece_metadata if files.model.get("byte_fallback") else byte_level_metadata)(files, rows),
        "tokenizer.ggml.add_bos_token": Value(GGUFValueType.BOOL, first is not None),
        "tokenizer.ggml.add_eos_token": Value(GGUFValueType.BOOL, last is not None),
        **{key: Value(GGUFValueType.UINT32, found) for key, found in ids.items() if found is not None},
        **ending_metadata(files),
        **_templates(files.chat_templates),
    }


def _templates(templates: Mapping[str, str]) -> dict[str, Value]:
    others = sorted(templates.keys() - {DEFAULT})
    keys = {f"tokenizer.chat_template.{name}": _string(templates[name]) for name in others}
    if others:
        keys["tokenizer.chat_templates"] = strings(cast(Sequence[str], others))
    return keys | ({"tokenizer.chat_template": _string(templates[DEFAULT])} if DEFAULT in templates else {})


def _string(text: str) -> Value:
    return Value(GGUFValueType.STRING, text)
