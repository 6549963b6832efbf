"""The front matter of a model card: what it says of the model's parents, data and licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

import yaml

from lineal.errors import UsageError

CARD = "README.md"
RELATIONS = ("adapter", "merge", "quantized", "finetune")

_LARGEST = 1_000_000
_MOST = 100
_FENCE = "---"


@final
@dataclass(frozen=True)
class Card:
    """base_models: as named, in order; relation: None where the card does not say."""

    base_models: tuple[str, ...]
    relation: str | None
    datasets: tuple[str, ...]
    license: str | None


def read_card(folder: Path) -> Card | None:
    """A folder's card; None where it has none, or one without front matter. Broken front matter is a UsageError."""
    path = folder / CARD
    if not path.is_file():
        return None
    matter = _front_matter(path)
    if not matter:
        return None
    relation = matter.get("base_model_relation")
    if relation is not None and relation not in RELATIONS:
        raise UsageError(f"{path}: base_model_relation {relation!r} (known: {', '.join(RELATIONS)})")
    licence = matter.get("license")
    return Card(
        _texts(path, matter, "base_model"),
        relation,
        _texts(path, matter, "datasets"),
        licence if isinstance(licence, str) else None,
    )


def _front_matter(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        beginning = file.read(_LARGEST)
    try:
        lines = beginning.decode(errors="ignore" if len(beginning) == _LARGEST else "strict").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    if not lines or lines[0].strip() != _FENCE:
        return {}
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), None)
    if end is None:
        raise UsageError(f"{path}: its front matter begins with --- and does not end within {_LARGEST:,} bytes")
    try:
        found = yaml.safe_load("\n".join(lines[1:end]))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: its front matter is not YAML: {' '.join(str(error).split())[:200]}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError(f"{path}: its front matter is no mapping of keys to values")
    return cast(dict[str, Any], found)


def _texts(path: Path, matter: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """One text or a list of them."""
    value = matter.get(key)
    texts = [] if value is None else cast(list[Any], value) if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"{path}: {key} must be a name or a list of names, got {text!r}")
    if len(texts) > _MOST:
        raise UsageError(f"{path}: {key} lists {len(texts)} names, more than {_MOST}")
    return tuple(dict.fromkeys(text.strip() for text in cast(list[str], texts)))
