"""The front matter of a model card: what it says of the model's parents, data and licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

from lineal.checkpoint.licence.front_matter import read_front_matter
from lineal.checkpoint.package import CARD
from lineal.errors import UsageError

RELATIONS = ("adapter", "merge", "quantized", "finetune")

_MOST = 100


@final
@dataclass(frozen=True)
class Card:
    """base_models: as named, in order; relation: None where the card does not say."""

    base_models: tuple[str, ...]
    relation: str | None
    datasets: tuple[str, ...]
    license: str | None


def read_card(folder: Path) -> Card | None:
    """A folder's card; None where it has none, or one without front matter. Broken front matter is an error."""
    path = folder / CARD
    matter = read_front_matter(path)
    if not matter:
        return None
    relation = matter.get("base_model_relation")
    if relation is not None and relation not in RELATIONS:
        raise UsageError(f"{path}: base_model_relation {_shown(relation)} (known: {', '.join(RELATIONS)})")
    licence = matter.get("license")
    return Card(
        _texts(path, matter, "base_model"),
        relation,
        _texts(path, matter, "datasets"),
        licence if isinstance(licence, str) else None,
    )


def _texts(path: Path, matter: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """One text or a list of them."""
    value = matter.get(key)
    texts = [] if value is None else cast(list[Any], value) if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"{path}: {key} must be a name or a list of names, got {_shown(text)}")
    if len(texts) > _MOST:
        raise UsageError(f"{path}: {key} lists {len(texts)} names, more than {_MOST}")
    return tuple(dict.fromkeys(text.strip() for text in cast(list[str], texts)))


def _shown(value: object) -> str:
    """Aliases make a small list stand for one that no message could hold."""
    return repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
