"""Who stands in which row: models by depth, long edges as chains of waypoints through the rows between."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from lineal.lineage.tables.order import depths


@final
@dataclass(frozen=True)
class Layers:
    """Items in rows. Items below `models` are models; the others are waypoints, where a long edge crosses a row.

    chains: for each edge, the items it runs through, from parent to child, one a row.
    """

    models: int
    rows: tuple[tuple[int, ...], ...]
    chains: tuple[tuple[int, ...], ...]

    @property
    def links(self) -> frozenset[tuple[int, int]]:
        """Every stretch of an edge between two neighbouring rows: (upper item, lower item)."""
        return frozenset(link for chain in self.chains for link in pairwise(chain))


def in_layers(models: int, edges: Sequence[tuple[int, int]]) -> Layers:
    """Rows for models numbered from 0, parents first, and (parent, child) edges; each row in the models' order."""
    parents: dict[int, list[int]] = {}
    for parent, child in edges:
        parents.setdefault(child, []).append(parent)
    row_of = depths(parents, range(models))
    rows: list[list[int]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    for item, row in row_of.items():
        rows[row].append(item)
    waypoints: dict[tuple[int, int], int] = {}
    chains: list[tuple[int, ...]] = []
    for parent, child in edges:
        between = range(row_of[parent] + 1, row_of[child])
        for row in between:
            if (parent, row) not in waypoints:  # edges from one parent share their way
                waypoints[parent, row] = models + len(waypoints)
                rows[row].append(waypoints[parent, row])
        chains.append((parent, *(waypoints[parent, row] for row in between), child))
    return Layers(models, tuple(map(tuple, rows)), tuple(chains))


def neighbours(layers: Layers) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """For each item those it is linked to in the row above, and in the row below."""
    above: dict[int, list[int]] = {item: [] for row in layers.rows for item in row}
    below: dict[int, list[int]] = {item: [] for row in layers.rows for item in row}
    for upper, lower in sorted(layers.links):
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def components(layers: Layers) -> list[Layers]:
    """The parts that no edge links to each other, in the order of their first models."""
    above, below = neighbours(layers)
    part_of: dict[int, int] = {}
    for start in sorted(above):
        waiting = [start]
        while waiting:
            item = waiting.pop()
            if item not in part_of:
                part_of[item] = part_of.get(start, start)
                waiting += above[item] + below[item]
    return [
        Layers(
            layers.models,
            tuple(tuple(item for item in row if part_of[item] == part) for row in layers.rows),
            tuple(chain for chain in layers.chains if part_of[chain[0]] == part),
        )
        for part in dict.fromkeys(part_of.values())
    ]
