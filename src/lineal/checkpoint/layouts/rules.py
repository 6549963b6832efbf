"""How stored tensors make published ones: a rule for what stands in one tensor, in another order, or elsewhere.

Names are without what stands before them, such as `model.layers.3.`; a star stands for an expert's number.
"""

import re
from dataclasses import dataclass
from functools import cached_property
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
    """All tensors whose names begin so, which are published under a name that begins otherwise."""

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

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """What each published name ends with; group 1: the expert."""
        escaped = (re.escape(name).replace(r"\*", r"(\d{1,9})") for name in self.published)
        return tuple(re.compile(rf"(?:^|(?<=\.)){one}$") for one in escaped)


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
