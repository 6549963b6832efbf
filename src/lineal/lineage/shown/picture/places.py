"""Where each item of a row stands: as near to what it is linked to as the width of its neighbours lets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from lineal.lineage.shown.picture.layers import Layers, neighbours

SWEEPS = 24
"""Two of three look one way only and carry a straight line from end to end; the others balance both sides."""

CARD_WIDTH = 248.0
WAYPOINT_WIDTH = 20.0
GAP = 30.0
WEAKEST_PULL = 0.05
"""Of an item that is linked to nothing on the side looked at, to where it stands."""


@final
@dataclass
class _Block:
    """Items pushed against each other, placed together."""

    total: float
    weight: float
    items: int


def places(layers: Layers) -> dict[int, float]:
    """The centre of every item, from the left edge of the leftmost card on."""
    above, below = neighbours(layers)
    at: dict[int, float] = {}
    for row in layers.rows:
        at |= zip(row, _apart(layers, row), strict=True)
    for sweep in range(SWEEPS):
        linked = (above, below, {item: above[item] + below[item] for item in at})[sweep % 3]
        for row in reversed(layers.rows) if sweep % 3 == 1 else layers.rows:
            _settle(layers, row, linked, at)
    left = min((centre - _width(layers, item) / 2 for item, centre in at.items()), default=0.0)
    return {item: centre - left for item, centre in at.items()}


def _settle(layers: Layers, row: Sequence[int], linked: dict[int, list[int]], at: dict[int, float]) -> None:
    """Move a row's items to the mean of what they are linked to: least squares under the distances kept.

    With each item's offset in a tight row subtracted that is isotonic regression: pool adjacent violators.
    """
    offsets = _apart(layers, row)
    blocks: list[_Block] = []
    for item, offset in zip(row, offsets, strict=True):
        pulls = [(at[other], _pull(layers, item, other)) for other in linked[item]] or [(at[item], WEAKEST_PULL)]
        weight = sum(pull for _, pull in pulls)
        blocks.append(_Block(sum(place * pull for place, pull in pulls) - offset * weight, weight, 1))
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] = _Block(
                blocks[-1].total + last.total, blocks[-1].weight + last.weight, blocks[-1].items + last.items
            )
    starts = [_mean(block) for block in blocks for _ in range(block.items)]
    at |= {item: start + offset for item, start, offset in zip(row, starts, offsets, strict=True)}


def _mean(block: _Block) -> float:
    return block.total / block.weight


def _pull(layers: Layers, item: int, other: int) -> float:
    """A long edge wants to be straight more than a card wants to stand under its parents (as in Graphviz' dot)."""
    return (1.0, 2.0, 8.0)[(item >= layers.models) + (other >= layers.models)]


def _apart(layers: Layers, row: Sequence[int]) -> list[float]:
    """The centres of a row's items when they stand as close as they may, the first at zero."""
    centres: list[float] = []
    for index, item in enumerate(row):
        before = row[index - 1] if index else item
        room = (_width(layers, before) + _width(layers, item)) / 2 + GAP
        centres.append(centres[-1] + room if centres else 0.0)
    return centres


def _width(layers: Layers, item: int) -> float:
    return CARD_WIDTH if item < layers.models else WAYPOINT_WIDTH
