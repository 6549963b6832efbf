"""The YAML at the beginning of a model card, read as if a stranger had written it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lineal.errors import CheckpointError

_LARGEST = 1_000_000
_FENCE = "---"


def read_front_matter(card: Path) -> Mapping[str, Any]:
    """What stands between the first two lines of dashes; empty where there is no card, or none of that in it."""
    if not card.is_file():
        return {}
    with card.open("rb") as file:
        beginning = file.read(_LARGEST)
    try:
        lines = beginning.decode(errors="ignore" if len(beginning) == _LARGEST else "strict").splitlines()
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{card}: not UTF-8: {error.reason} at byte {error.start}") from None
    if not lines or lines[0].strip() != _FENCE:
        return {}
    end = next((number for number, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), None)
    if end is None:
        raise CheckpointError(f"{card}: its front matter begins with --- and does not end within {_LARGEST:,} bytes")
    import yaml  # of the models that are opened few have a card

    try:
        found = yaml.safe_load("\n".join(lines[1:end]))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{card}: its front matter is not YAML: {' '.join(str(error).split())[:200]}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise CheckpointError(f"{card}: its front matter is not a mapping of keys to values")
    return cast(dict[str, Any], found)
