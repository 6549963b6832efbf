"""The questions one asks of a family: who descends from whom, how, and in what order. Edges follow every role."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from sqlalchemy import Connection, text

from lineal.lineage import models
from lineal.lineage.edges import DOWN, EVERYTHING, UP, Edges, all_edges, edges_above, reachable, shortest_path
from lineal.lineage.evidence import Evidence, weakest
from lineal.lineage.registry import Registry


def ancestors(registry: Registry, model: bytes, limit: int | None = None, offset: int = 0) -> tuple[bytes, ...]:
    """Everything that went into a model, nearest first; a page of it where a limit is given."""
    return _reachable(registry, model, UP, limit, offset)


def descendants(registry: Registry, model: bytes, limit: int | None = None, offset: int = 0) -> tuple[bytes, ...]:
    """Everything that a model went into, nearest first; a page of it where a limit is given."""
    return _reachable(registry, model, DOWN, limit, offset)


def parents(registry: Registry, model: bytes) -> tuple[bytes, ...]:
    """What a model was made from, in order: first recorded step first, then as its inputs stand."""
    return _neighbours(registry, model, "child_id", "model_id")


def children(registry: Registry, model: bytes) -> tuple[bytes, ...]:
    """What was made from a model directly, first recorded first."""
    return _neighbours(registry, model, "model_id", "child_id")


def roots(registry: Registry, of: bytes | None = None) -> tuple[bytes, ...]:
    """The models that were made from no other: all of them, or those that one model goes back to."""
    return _ends(registry, UP, of)


def leaves(registry: Registry, of: bytes | None = None) -> tuple[bytes, ...]:
    """The models that no other was made from: all of them, or those that one model led to."""
    return _ends(registry, DOWN, of)


def topological_order(registry: Registry, of: bytes | None = None) -> tuple[bytes, ...]:
    """Parents before children: a model with all its ancestors, or the whole registry. Ties: first known first."""
    with registry.reading() as connection:
        if of is None:
            edges = all_edges(connection)
            keys: list[int] = list(connection.execute(text("SELECT id FROM model")).scalars())
        else:
            edges = edges_above(connection, start := models.key(connection, of))
            keys = _members(edges, start)
        return _hashes(connection, in_order(edges, keys))


def depth(registry: Registry, model: bytes) -> int:
    """How many derivations lie between a model and its roots, on the longest way."""
    with registry.reading() as connection:
        start = models.key(connection, model)
        edges = edges_above(connection, start)
    longest: dict[int, int] = {}
    for key in in_order(edges, _members(edges, start)):
        longest[key] = max((longest[parent] + 1 for parent in edges.get(key, ())), default=0)
    return longest[start]


def path(registry: Registry, ancestor: bytes, model: bytes) -> tuple[bytes, ...]:
    """A shortest way from an ancestor down to a model, both included; empty where the model does not descend from it."""
    with registry.reading() as connection:
        goal, start = models.key(connection, ancestor), models.key(connection, model)
        return _hashes(connection, shortest_path(edges_above(connection, start), start, goal))


def path_evidence(registry: Registry, models_on_path: Sequence[bytes]) -> Evidence | None:
    """What a path is worth: its weakest edge, each edge being as good as its best attested step."""
    steps = (
        [step for step in registry.steps_of(child) if not step.reproduces and parent in _inputs(step.step)]
        for parent, child in zip(models_on_path, models_on_path[1:], strict=False)
    )
    return weakest(max(step.evidence for step in candidates) for candidates in steps)
