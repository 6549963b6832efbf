"""How stored tensors make published ones: a rule for what stands in one tensor, in another order, or elsewhere.

Names are without what stands before them, such as `model.layers.3.`; a star stands for an expert's number.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal, TypeAlias, final


@final
@dataclass(frozen=True)
class Renamed:
    """A tensor that is published under another name."""

    stored: str
    published: str


@final
@dataclass(frozen=True)
class Moved:
    """All tensors whose names begin so, which are published under a name that begins otherwise.

    Of several starts that a name has the longest counts.
    """

    stored: str
    published: str


@final
@dataclass(frozen=True)
class Turned:
    """Matrices whose elements are published in another order, of all experts in one tensor: [experts, rows, columns].

    transposed: rows and columns change places. paired: the lower half of the rows goes between those of the upper.
    columns: keys of the config that say how many there are as stored, for a name that both layouts have.
    """

    stored: str
    published: str
    order: Literal["transposed", "paired"]
    columns: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Stacked:
    """The matrices of all experts in one tensor, [experts, rows, columns].

    published: several kinds stand one below the other in the rows of each expert, in this order and of one height.
    """

    stored: str
    published: tuple[str, ...]

    def missing(self, experts: int, there: Container[tuple[int, int]]) -> str | None:
        """The first published name of so many experts that is not there. there: experts, and places of their names."""
        wanted = ((expert, place) for expert in range(experts) for place in range(len(self.published)))
        gap = next((one for one in wanted if one not in there), None)
        return None if gap is None else self.published[gap[1]].replace("*", str(gap[0]))


@final
@dataclass(frozen=True)
class Joined:
    """Tensors in one, the first above the second.

    heights: for each the keys of the config whose product is its rows; without them all are of one height.
    """

    stored: str
    published: tuple[str, ...]
    heights: tuple[tuple[str, ...], ...] = ()


Rule: TypeAlias = Renamed | Moved | Turned | Stacked | Joined
