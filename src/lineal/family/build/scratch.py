"""Where a model is made before it is published."""

from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True)
class Scratch:
    """Where a model is made: `child` becomes its folder, `work` outlives a kill; the same key continues."""

    child: Path
    work: Path
    key: str
