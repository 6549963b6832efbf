"""The geometry of a picture: where every card stands and which points every edge runs through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias, final

from lineal.lineage.shown.picture.layers import Layers, components, in_layers
from lineal.lineage.shown.picture.ordering import ordered
from lineal.lineage.shown.picture.places import CARD_WIDTH, places

Point: TypeAlias = tuple[float, float]

MARGIN = 32.0
BETWEEN_ROWS = 68.0
SMALLEST_WIDTH = 480.0

PARTS_APART = 30.0

_PORTS_APART = 26.0


@final
@dataclass(frozen=True)
class Sheet:
    """The upper left corner of every card, the points of every edge from parent to child, and what they cover."""

    cards: tuple[Point, ...]
    edges: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def sheet(heights: Sequence[float], edges: Sequence[tuple[int, int]]) -> Sheet:
    """Lay out cards of these heights, parents first, and (parent, child) edges between them."""
    layers = in_layers(len(heights), edges)
    rows = {item: index for index, row in enumerate(layers.rows) for item in row}
    row_heights = [max(heights[item] for item in row if item < layers.models) for row in layers.rows]
    tops = list(accumulate((height + BETWEEN_ROWS for height in row_heights), initial=MARGIN))
    centres, width = _centred(_side_by_side(layers))
    arrivals = _arrivals(layers, centres)
    routes: list[tuple[Point, ...]] = []
    for edge, (parent, *waypoints, child) in enumerate(layers.chains):
        points = [(centres[parent], tops[rows[parent]] + heights[parent])]
        for item in (parent, *waypoints):
            top = tops[rows[item]]
            points += [
                (centres[item], top if item != parent else points[0][1]),
                (centres[item], top + row_heights[rows[item]]),
            ]
        routes.append((*points, (arrivals[edge], tops[rows[child]])))
    corners = tuple((centres[item] - CARD_WIDTH / 2, tops[rows[item]]) for item in range(layers.models))
    return Sheet(corners, tuple(routes), width, tops[-1] - (BETWEEN_ROWS if heights else 0))


def _side_by_side(layers: Layers) -> dict[int, float]:
    """The centres of all items: each unlinked part by itself, as close to the parts before it as the rows allow."""
    at: dict[int, float] = {}
    ends: dict[int, float] = {}
    for part in components(layers):
        inside = places(ordered(part))
        occupied = {
            index: (min(inside[i] for i in row), max(inside[i] for i in row))
            for index, row in enumerate(part.rows)
            if row
        }
        shift = max((ends[index] - first for index, (first, _) in occupied.items() if index in ends), default=0.0)
        at |= {item: centre + shift for item, centre in inside.items()}
        ends |= {index: last + shift + CARD_WIDTH + PARTS_APART for index, (_, last) in occupied.items()}
    left = min(at.values(), default=0.0) - CARD_WIDTH / 2
    return {item: centre - left for item, centre in at.items()}


def _centred(at: Mapping[int, float]) -> tuple[dict[int, float], float]:
    """The centres with a margin on both sides, in the middle of a sheet that is never too narrow for the legend."""
    content = max((centre for centre in at.values()), default=0.0) + CARD_WIDTH / 2
    width = max(SMALLEST_WIDTH, content + 2 * MARGIN)
    return {item: centre + (width - content) / 2 for item, centre in at.items()}, width


def _arrivals(layers: Layers, centres: Mapping[int, float]) -> dict[int, float]:
    """Where on the upper side of its child's card each edge ends: side by side, ordered by where they come from."""
    arriving: dict[int, list[tuple[float, int]]] = {}
    for edge, chain in enumerate(layers.chains):
        arriving.setdefault(chain[-1], []).append((centres[chain[-2]], edge))
    at: dict[int, float] = {}
    for child, sources in arriving.items():
        apart = min(_PORTS_APART, 0.7 * CARD_WIDTH / max(1, len(sources) - 1))
        first = centres[child] - apart * (len(sources) - 1) / 2
        at |= {edge: first + apart * place for place, (_, edge) in enumerate(sorted(sources))}
    return at
