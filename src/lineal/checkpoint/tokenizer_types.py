"""What tokenizer.json and tokenizer_config.json must hold for anything to be read from them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from lineal.checkpoint.reader import read_json
from lineal.errors import CheckpointError
from lineal.shown import quoted

TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"
_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")


def read_tokenizer_json(folder: Path) -> dict[str, Any]:
    """The folder's tokenizer.json, whose post-processor and added tokens have the types that they must have."""
    return _checked(folder / TOKENIZER, _tokenizer_faults)


def read_tokenizer_settings(folder: Path) -> dict[str, Any]:
    """The folder's tokenizer_config.json, checked likewise; empty where there is none."""
    path = folder / SETTINGS
    return _checked(path, _settings_faults) if path.is_file() else {}


def _checked(path: Path, faults: Callable[[Mapping[str, Any]], Iterator[str]]) -> dict[str, Any]:
    found = read_json(path)
    for fault in faults(found):
        raise CheckpointError(f"{path}: {fault}")
    return found


def _tokenizer_faults(tokenizer: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(tokenizer.get("model"), dict):
        yield f"model must be a mapping, got {quoted(tokenizer.get('model'))}"
    for entry in _items(tokenizer.get("added_tokens")):
        if not (isinstance(entry, dict) and isinstance(entry.get("content"), str) and type(entry.get("id")) is int):
            yield f"an added token must have a content and an id, got {quoted(entry)}"
    processor = tokenizer.get("post_processor")
    if processor is not None:
        yield from _processor_faults(processor)


def _processor_faults(processor: Any) -> Iterator[str]:
    if not isinstance(processor, dict) or not isinstance(processor.get("type"), str):
        yield f"a post-processor must be a mapping with a type, got {quoted(processor)}"
        return
    step = cast(dict[str, Any], processor)
    for inner in _items(step.get("processors")):
        yield from _processor_faults(inner)
    for role in ("cls", "sep"):
        if role in step and not (isinstance(step[role], list) and step[role] and isinstance(step[role][0], str)):
            yield f"post_processor.{role} must be a token and its id, got {quoted(step[role])}"
    if step["type"] == "TemplateProcessing":
        tokens = step.get("special_tokens")
        if not isinstance(tokens, dict) or not all(
            isinstance(token, dict) and isinstance(token.get("ids"), list) for token in tokens.values()
        ):
            yield f"post_processor.special_tokens must give each its ids, got {quoted(tokens)}"
            return
        for piece in _items(step.get("single")):
            named = piece.get("SpecialToken", {}) if isinstance(piece, dict) else None
            if not isinstance(named, dict) or (named and named.get("id") not in list(tokens)):
                yield f"post_processor.single names a piece that is none of its tokens: {quoted(piece)}"


def _settings_faults(settings: Mapping[str, Any]) -> Iterator[str]:
    for role in _ROLES:
        token = settings.get(role)
        content = token.get("content") if isinstance(token, dict) else token
        if not isinstance(content, str) and not (content is None and token is None):
            yield f"{role} must be a text, or a mapping with its content, got {quoted(token)}"
    templates = settings.get("chat_template")
    for template in _items(templates) if isinstance(templates, list) else ():
        if not isinstance(template, dict) or not all(isinstance(template.get(k), str) for k in ("name", "template")):
            yield f"a chat template must have a name and a template, got {quoted(template)}"
    if not isinstance(templates, str | list | None):
        yield f"chat_template must be a text or a list, got {quoted(templates)}"


def _items(found: Any) -> list[Any]:
    """Of a list; what is no list counts as one thing that is none of what is needed."""
    return [] if found is None else found if isinstance(found, list) else [found]
