"""A licence as it is stated, and where: on its way from a folder's card and texts to the registry."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class StatedLicence:
    """What is said, as it is written there, several with AND between them; source: where."""

    licence: str
    source: str
