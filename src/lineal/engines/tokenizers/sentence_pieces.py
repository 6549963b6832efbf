"""Tokenizers in SentencePiece's way as tokenizer.json spells them out: spaces are ▁, one more may stand in front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

Object: TypeAlias = Mapping[str, Any]

SPACE = "▁"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""The tokens of the bytes of characters that have none of their own."""

_PREPEND = {"type": "Prepend", "prepend": SPACE}
_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
_IDLE_SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
"""Gemma's: it finds no space, since all are ▁ by then."""


@final
@dataclass(frozen=True)
class SentencePieces:
    """prefix: whether ▁ is put before a text, and before what follows a special token; words: whether nothing is merged
    over the beginning of a word; spared: whether the prefix is left out where a space stands there already.
    """

    prefix: bool
    words: bool = False
    spared: bool = False


def sentence_pieces_of(tokenizer: Object) -> SentencePieces | None:
    """What a tokenizer.json does before it merges; None where it is something else."""
    normalizer = _flat(tokenizer.get("normalizer"), "normalizers")
    steps = _flat(tokenizer.get("pre_tokenizer"), "pretokenizers")
    match [step.get("type") for step in steps]:
        case ["Metaspace"] if not normalizer:
            return _metaspace(steps[0])
        case [] if normalizer in ([_PREPEND, _REPLACE], [_REPLACE, _PREPEND]):
            return SentencePieces(prefix=True)
        case _ if normalizer == [_REPLACE] and steps in ([], [_IDLE_SPLIT]):
            return SentencePieces(prefix=False)
        case _:
            return None


def steps_of(tokenizer: Object) -> str:
    """The kinds of what stands before the merges, for messages."""
    parts = (
        *_flat(tokenizer.get("normalizer"), "normalizers"),
        *_flat(tokenizer.get("pre_tokenizer"), "pretokenizers"),
    )
    return ", ".join(str(part.get("type")) for part in parts) or "nothing"


def normalizer_of(pieces: SentencePieces) -> Object:
    return {"type": "Sequence", "normalizers": [_PREPEND, _REPLACE]} if pieces.prefix else _REPLACE


def decoder_of(pieces: SentencePieces) -> Object:
    """Back to a text: spaces, bytes, and without the prefix."""
    spaces = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    first = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if pieces.prefix else []
    return {"type": "Sequence", "decoders": [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}, *first]}


def _metaspace(step: Object) -> SentencePieces | None:
    old = "always" if step.get("add_prefix_space", True) else "never"
    scheme = step.get("prepend_scheme", old)
    if step.get("replacement") != SPACE or scheme not in ("always", "first", "never"):
        return None
    prefix = scheme != "never"
    return SentencePieces(prefix, words=bool(step.get("split", True)), spared=prefix)


def _flat(step: Object | None, inner: str) -> Sequence[Object]:
    if step is None:
        return []
    return [part for outer in step[inner] for part in _flat(outer, inner)] if step.get("type") == "Sequence" else [step]
