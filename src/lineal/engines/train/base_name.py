"""How a child refers to the model that it was trained on."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class BaseName:
    """What an adapter says of its base: a name, never a local path, and where known its commit and model hash."""

    name: str = ""
    revision: str | None = None
    model_hash: bytes | None = None
