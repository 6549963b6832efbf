"""Orders over a graph held in memory: parents before children, the longest way down, the shortest way up."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Edges: TypeAlias = Mapping[int, Sequence[int]]
"""For each child its parents in order: first recorded step first, then by position."""


def in_order(known: Edges, keys: Iterable[int]) -> list[int]:
    """The keys, parents before children, the smallest key first where both would do."""
    waiting_for = {key: len(known.get(key, ())) for key in keys}
    made_from: dict[int, list[int]] = {}
    for child, parent in ((child, parent) for child, above in known.items() for parent in above):
        made_from.setdefault(parent, []).append(child)
    ready = [key for key, missing in waiting_for.items() if not missing]
    heapify(ready)
    order: list[int] = []
    while ready:
        order.append(key := heappop(ready))
        for child in made_from.get(key, ()):
            waiting_for[child] -= 1
            if not waiting_for[child]:
                heappush(ready, child)
    return order


def depths(known: Edges, keys: Iterable[int]) -> dict[int, int]:
    """The length of the longest way from a root to each of the keys."""
    longest: dict[int, int] = {}
    for key in in_order(known, keys):
        longest[key] = max((longest[parent] + 1 for parent in known.get(key, ())), default=0)
    return longest


def shortest_path(edges: Edges, child: int, ancestor: int) -> list[int]:
    """The models from the ancestor down to the child, both included; none where no way leads there."""
    came_from = {child: child}
    waiting = deque([child])
    while waiting and ancestor not in came_from:
        here = waiting.popleft()
        for parent in edges.get(here, ()):
            if parent not in came_from:
                came_from[parent] = here
                waiting.append(parent)
    if ancestor not in came_from:
        return []
    path = [ancestor]
    while path[-1] != child:
        path.append(came_from[path[-1]])
    return path
