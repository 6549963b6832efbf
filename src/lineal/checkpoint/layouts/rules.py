"""How stored tensors make published ones: a rule for what stands in one tensor, or under another name.

Names are without what stands before them, such as `model.layers.3.`; a star stands for an expert's number.
"""

from dataclasses import dataclass
from typing import TypeAlias, final


@final
@dataclass(frozen=True)
class Stacked:
    """The matrices of all experts in one tensor, [experts, rows, columns].

    published: several kinds stand one below the other in the rows of each expert, in this order and of one height.
    """

    stored: str
    published: tuple[str, ...]

    def names(self, experts: int) -> list[tuple[int, int, str]]:
        """Expert, place among the kinds, and published name."""
        kinds = list(enumerate(self.published))
        return [(e, place, name.replace("*", str(e))) for e in range(experts) for place, name in kinds]


@final
@dataclass(frozen=True)
class Renamed:
    """A tensor that is published under another name."""

    stored: str
    published: str


Rule: TypeAlias = Stacked | Renamed
