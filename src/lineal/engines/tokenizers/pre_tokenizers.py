"""Pre-tokenizers that tokenizer.json spells out, and that llama.cpp knows by a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from lineal.errors import CheckpointError
from lineal.shown import quoted

Object: TypeAlias = Mapping[str, Any]

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_OTHERS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_LLAMA3 = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_OTHERS}|{_SPACES}"
_QWEN2 = rf"{_CONTRACTIONS}|{_WORDS}|\p{{N}}|{_OTHERS}|{_SPACES}"
_QWEN35 = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_SPACES}"
)

_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_NO_SMALL, _NO_LARGE = r"(?:(?=\p{L})[^a-z])", r"(?:(?=\p{L})[^A-Z])"
"""Instead of those two llama.cpp asks whether a letter is none of a to z, or of A to Z."""


def _by_case(upper: str, lower: str, ending: str, digits: str) -> str:
    """Words end where a small letter is followed by a large one."""
    first = r"[^\r\n\p{L}\p{N}]?"
    words = f"{first}{upper}*{lower}+{ending}|{first}{upper}+{lower}*{ending}"
    return rf"{words}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}"


@final
@dataclass(frozen=True)
class PreTokenizer:
    """steps: `pre_tokenizer` of tokenizer.json; ignore_merges: whether a word that is a token is never cut.

    adds_bos: what llama.cpp does where a GGUF does not say. cut: the steps that cut as llama.cpp does, where those that
    are published do not; but: which texts they cut otherwise.
    """

    steps: Object
    ignore_merges: bool = False
    adds_bos: bool = False
    cut: Object | None = None
    but: str = ""


def byte_level(*, use_regex: bool) -> Object:
    """Bytes as printable characters; with the expression that cuts words as GPT-2 does, or without."""
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _sequence(first: Object, second: Object) -> Object:
    return {"type": "Sequence", "pretokenizers": [first, second]}


def _split(expression: str) -> Object:
    """Words by a regular expression, then bytes."""
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return _sequence(split, byte_level(use_regex=False))


_CASES = "words with combining marks, or with letters of two cases beyond a to z"
PRE_TOKENIZERS: Mapping[str, PreTokenizer] = {
    "gpt-2": PreTokenizer(byte_level(use_regex=True)),
    "smollm": PreTokenizer(_sequence({"type": "Digits", "individual_digits": True}, byte_level(use_regex=True))),
    "llama-bpe": PreTokenizer(_split(_LLAMA3), ignore_merges=True, adds_bos=True),
    "dbrx": PreTokenizer(_split(_LLAMA3)),
    "qwen2": PreTokenizer(_split(_QWEN2)),
    "qwen35": PreTokenizer(_split(_QWEN35)),
    "tekken": PreTokenizer(
        _split(_by_case(_UPPER, _LOWER, "", r"\p{N}")),
        ignore_merges=True,
        adds_bos=True,
        cut=_split(_by_case(_NO_SMALL, _NO_LARGE, "", r"\p{N}")),
        but=_CASES,
    ),
    "gpt-4o": PreTokenizer(
        _split(_by_case(_UPPER, _LOWER, f"{_CONTRACTIONS}?", r"\p{N}{1,3}")),
        cut=_split(_by_case(_NO_SMALL, _NO_LARGE, f"{_CONTRACTIONS}?", r"\p{N}{1,3}")),
        but=_CASES,
    ),
}
"""By GGUF's names; llama-vocab.cpp has their regular expressions, and `make test-peers` compares the tokens."""

_LIKE: Mapping[str, tuple[str, ...]] = {
    "gpt-2": ("phi-2", "mpt", "olmo", "jais", "gigachat", "exaone4", "mellum", "trillion", "granite-docling"),
    "smollm": ("starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"),
    "llama-bpe": ("llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
    "dbrx": ("smaug-bpe", "chatglm-bpe"),
    "qwen2": ("deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"),
    "gpt-4o": ("llama4", "kanana2"),
}
"""Names of the same, which other GGUFs have."""
_NAMED = PRE_TOKENIZERS | {other: PRE_TOKENIZERS[name] for name, others in _LIKE.items() for other in others}


def pre_tokenizer_of(tokenizer: Object) -> str | None:
    """GGUF's name of a tokenizer.json's pre-tokenizer; None if it is not known."""
    steps, ignore_merges = _steps(tokenizer.get("pre_tokenizer")), bool(tokenizer["model"].get("ignore_merges"))
    for name, known in PRE_TOKENIZERS.items():
        accepted = [_steps(known.steps), *([] if known.cut is None else [_steps(known.cut)])]
        if steps in accepted and known.ignore_merges == ignore_merges:
            return name
    return None


def pre_tokenizer_named(name: str) -> PreTokenizer:
    if name not in _NAMED:
        raise CheckpointError(f"the pre-tokenizer {quoted(name)} is not known here (known: {', '.join(_NAMED)})")
    return _NAMED[name]


def spelled_steps(tokenizer: Object) -> str:
    """A tokenizer.json's pre-tokenizer in short, for messages."""
    steps = _steps(tokenizer.get("pre_tokenizer"))
    shown = [" ".join([str(step.get("type")), *(f"{v}" for v in step.get("pattern", {}).values())]) for step in steps]
    return quoted(", ".join(shown) or "none")


def _steps(pre_tokenizer: Object | None) -> list[dict[str, Any]]:
    """The parts one after the other, without what does not change a token."""
    if pre_tokenizer is None:
        return []
    if pre_tokenizer.get("type") == "Sequence":
        return [step for part in pre_tokenizer["pretokenizers"] for step in _steps(part)]
    defaults = {"use_regex": True} if pre_tokenizer.get("type") == "ByteLevel" else {}
    step = {**defaults, **{key: value for key, value in pre_tokenizer.items() if key != "trim_offsets"}}
    if (step.get("behavior"), step.get("invert")) == ("Removed", True):
        step |= {"behavior": "Isolated", "invert": False}  # the same, where nothing is left between the words
    return [step]
