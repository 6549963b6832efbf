"""What a tokenizer may put around a text by itself, from its files alone: the question costs no torch."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from lineal.checkpoint.package import has_tokenizer
from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.tokenizer_types import TOKENIZER, read_tokenizer_json, read_tokenizer_settings
from lineal.engines.gguf.tokenizer_back import tokenizer_json

_PLAIN = ("PreTrainedTokenizerFast", "TokenizersBackend", "GPT2Tokenizer", "Qwen2Tokenizer")
"""Classes that put nothing around a text of their own accord; their names may end in Fast."""


def possible_borders(place: Path, base: Path | None = None) -> frozenset[str]:
    """Every token that may be put before or behind a text; none only where the files prove that none is.

    base: of an adapter, whose tokenizer it has where it brings none.
    """
    folder = next((path for path in (place, base) if path is not None and _holds_tokenizer(path)), place)
    if open_checkpoint(folder).form == "gguf":
        return frozenset(_named(tokenizer_json(open_checkpoint(folder))["post_processor"]))
    settings: Mapping[str, Any] = read_tokenizer_settings(folder)
    if not (folder / TOKENIZER).is_file():
        return frozenset(_declared(settings, ("bos", "eos")))
    asked = [role for role in ("bos", "eos") if settings.get(f"add_{role}_token")]
    if str(settings.get("tokenizer_class")).removesuffix("Fast") not in [name.removesuffix("Fast") for name in _PLAIN]:
        asked = ["bos", "eos"]
    return frozenset([*_named(read_tokenizer_json(folder).get("post_processor")), *_declared(settings, asked)])


def _holds_tokenizer(place: Path) -> bool:
    """Whether a model brings a tokenizer of its own: a GGUF in its keys, a folder in its files."""
    return open_checkpoint(place).form == "gguf" or has_tokenizer(place)


def holds_borders(document: str, borders: Iterable[str]) -> bool:
    """Whether a text begins or ends with one of them; spaces around are not counted, as some tokenizers do not."""
    bare = document.strip()
    return any(bare.startswith(border) or bare.endswith(border) for border in borders)


def _declared(settings: Mapping[str, Any], roles: Sequence[str]) -> list[str]:
    """The tokens with these roles; Llama's, where the settings do not say."""
    usual = {"bos": "<s>", "eos": "</s>"}
    found = [settings.get(f"{role}_token") or usual[role] for role in roles]
    return [cast(str, token["content"] if isinstance(token, dict) else token) for token in found]


def _named(processor: Mapping[str, Any] | None) -> list[str]:
    """The tokens that a post-processor of tokenizer.json names."""
    if processor is None:
        return []
    inner = [name for step in processor.get("processors", ()) for name in _named(step)]
    pair = [cast(str, processor[role][0]) for role in ("cls", "sep") if role in processor]
    return [*inner, *pair, *processor.get("special_tokens", {})]
