"""Where the registry is: told, in the environment, in the nearest folder upward, or at home."""

import os
from collections.abc import Mapping
from pathlib import Path

from lineal.errors import RegistryError

VARIABLE = "LINEAL_REGISTRY"
PLACE = Path(".lineal", "registry.db")


def locate(
    explicit: str | Path | None = None, environment: Mapping[str, str] = os.environ, folder: Path | None = None
) -> str | Path:
    """The explicit place, else LINEAL_REGISTRY, else the nearest `.lineal/registry.db` upward, else the one at home.

    A string comes back only where a URL was given. folder: where the way upward begins; the working folder.
    """
    told = explicit or environment.get(VARIABLE)
    if told:
        return told if isinstance(told, str) and "://" in told else Path(told).expanduser()
    start = folder or Path.cwd()
    for above in (start, *start.parents):
        if (above / PLACE).exists():
            return above / PLACE
    return home() / PLACE.name


def home() -> Path:
    """The folder for what belongs to no folder of models."""
    try:
        return Path.home() / PLACE.parent
    except RuntimeError:
        raise RegistryError(f"no home folder for the registry: name one with --registry or {VARIABLE}") from None
