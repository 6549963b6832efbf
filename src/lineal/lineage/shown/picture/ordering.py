"""The order within each row: by barycentre until few edges cross, then swapping neighbours to shorten edges."""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from lineal.lineage.shown.picture.layers import Layers, neighbours
from lineal.lineage.shown.picture.places import places

Rows: TypeAlias = tuple[tuple[int, ...], ...]

SWEEPS = 12
CROSSING_COST = 300.0
"""A crossing is worth a detour of so many pixels."""
SWAPPED_ITEMS = 8000
"""How many items may be placed anew in the search for better swaps: a small picture gets many, a huge one none."""


def ordered(layers: Layers) -> Layers:
    """The rows, each in an order that is pleasant to look at."""
    return _swapped(replace(layers, rows=_with_few_crossings(layers)))


def _swapped(layers: Layers) -> Layers:
    items = sum(map(len, layers.rows))
    trials = SWAPPED_ITEMS // max(1, items)
    pairs = [(index, place) for index, row in enumerate(layers.rows) for place in range(len(row) - 1)]
    best, lowest = layers, _cost(layers)
    improved = True
    while improved and trials > 0:
        improved = False
        for row, place in pairs:
            trials -= 1
            candidate = replace(best, rows=_with_swap(best.rows, row, place))
            if trials >= 0 and (cost := _cost(candidate)) < lowest - 1:
                best, lowest, improved = candidate, cost, True
    return best


def _with_swap(rows: Rows, row: int, place: int) -> Rows:
    one, other = rows[row][place : place + 2]
    swapped = (*rows[row][:place], other, one, *rows[row][place + 2 :])
    return (*rows[:row], swapped, *rows[row + 1 :])


def _cost(layers: Layers) -> float:
    at = places(layers)
    length = sum(abs(at[upper] - at[lower]) for upper, lower in layers.links)
    return length + CROSSING_COST * _crossings(layers.rows, neighbours(layers)[1])


def _with_few_crossings(layers: Layers) -> Rows:
    above, below = neighbours(layers)
    rows = [list(row) for row in layers.rows]
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        downward = sweep % 2 == 0
        for index in range(1, len(rows)) if downward else range(len(rows) - 2, -1, -1):
            fixed = rows[index - 1 if downward else index + 1]
            _sort_by_barycentre(rows[index], fixed, above if downward else below)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return tuple(map(tuple, best))


def _sort_by_barycentre(row: list[int], fixed: list[int], linked: dict[int, list[int]]) -> None:
    """Each item moves to the mean place of those it is linked to; one without links keeps its own."""
    place = {item: index / max(1, len(fixed) - 1) for index, item in enumerate(fixed)}
    own = {item: index / max(1, len(row) - 1) for index, item in enumerate(row)}
    means = {item: [place[other] for other in linked[item]] or [own[item]] for item in row}
    row.sort(key=lambda item: sum(means[item]) / len(means[item]))


def _crossings(rows: Sequence[Sequence[int]], below: dict[int, list[int]]) -> int:
    total = 0
    for row, next_row in pairwise(rows):
        place = {item: index for index, item in enumerate(next_row)}
        met: list[int] = []
        for item in row:
            ends = sorted(place[other] for other in below[item])
            total += sum(len(met) - bisect_right(met, end) for end in ends)
            for end in ends:
                insort(met, end)
    return total
