"""Pre-tokenizers that tokenizer.json spells out, and that llama.cpp knows by a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from lineal.errors import CheckpointError
from lineal.shown import quoted

Object: TypeAlias = Mapping[str, Any]

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@final
@dataclass(frozen=True)
class PreTokenizer:
    """steps: `pre_tokenizer` of tokenizer.json; ignore_merges: whether a word that is a token is never cut.

    adds_bos: what llama.cpp does where a GGUF does not say.
    """

    steps: Object
    ignore_merges: bool = False
    adds_bos: bool = False


def byte_level(*, use_regex: bool) -> Object:
    """Bytes as printable characters; with the expression that cuts words as GPT-2 does, or without."""
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _sequence(first: Object, second: Object) -> Object:
    return {"type": "Sequence", "pretokenizers": [first, second]}


PRE_TOKENIZERS: Mapping[str, PreTokenizer] = {
    "gpt-2": PreTokenizer(byte_level(use_regex=True)),
    "smollm": PreTokenizer(_sequence({"type": "Digits", "individual_digits": True}, byte_level(use_regex=True))),
    "llama-bpe": PreTokenizer(
        _sequence(
            {"type": "Split", "pattern": {"Regex": _LLAMA3}, "behavior": "Isolated", "invert": False},
            byte_level(use_regex=False),
        ),
        ignore_merges=True,
        adds_bos=True,
    ),
}
"""By GGUF's names; llama-vocab.cpp has their regular expressions, and `make test-peers` compares the tokens."""


def pre_tokenizer_of(tokenizer: Object) -> str | None:
    """GGUF's name of a tokenizer.json's pre-tokenizer; None if it is not known."""
    steps, ignore_merges = _steps(tokenizer.get("pre_tokenizer")), bool(tokenizer["model"].get("ignore_merges"))
    for name, known in PRE_TOKENIZERS.items():
        if _steps(known.steps) == steps and known.ignore_merges == ignore_merges:
            return name
    return None


def pre_tokenizer_named(name: str) -> PreTokenizer:
    if name not in PRE_TOKENIZERS:
        raise CheckpointError(
            f"the pre-tokenizer {quoted(name)} is not known here (known: {', '.join(PRE_TOKENIZERS)})"
        )
    return PRE_TOKENIZERS[name]


def _steps(pre_tokenizer: Object | None) -> list[dict[str, Any]]:
    """The parts one after the other, without what does not change a token."""
    if pre_tokenizer is None:
        return []
    if pre_tokenizer.get("type") == "Sequence":
        return [step for part in pre_tokenizer["pretokenizers"] for step in _steps(part)]
    defaults = {"use_regex": True} if pre_tokenizer.get("type") == "ByteLevel" else {}
    return [{**defaults, **{key: value for key, value in pre_tokenizer.items() if key != "trim_offsets"}}]
