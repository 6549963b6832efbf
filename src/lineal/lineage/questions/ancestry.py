"""The questions one asks of a family: who descends from whom, how, and in what order. Edges follow every role."""

from collections.abc import Sequence
from itertools import pairwise

from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.records.evidence import Evidence, weakest
from lineal.lineage.registry import Registry
from lineal.lineage.tables import edges, models
from lineal.lineage.tables.edges import DOWN, UP
from lineal.lineage.tables.order import Edges, depths, in_order, shortest_path


def ancestors(registry: Registry, model: bytes, limit: int | None = None, offset: int = 0) -> tuple[bytes, ...]:
    """Everything that went into a model, nearest first; a page of it where a limit is given."""
    with registry.reading() as connection:
        return tuple(edges.reachable(connection, models.key(connection, model), UP, limit, offset))


def descendants(registry: Registry, model: bytes, limit: int | None = None, offset: int = 0) -> tuple[bytes, ...]:
    """Everything that a model went into, nearest first; a page of it where a limit is given."""
    with registry.reading() as connection:
        return tuple(edges.reachable(connection, models.key(connection, model), DOWN, limit, offset))


def count_descendants(registry: Registry, model: bytes) -> int:
    """How many models a model went into, however far down."""
    with registry.reading() as connection:
        return edges.count(connection, models.key(connection, model), DOWN)


def parents(registry: Registry, model: bytes) -> tuple[bytes, ...]:
    """What a model was made from, in order: first recorded step first, then as its inputs stand."""
    with registry.reading() as connection:
        return tuple(edges.neighbours(connection, models.key(connection, model), UP))


def children(registry: Registry, model: bytes) -> tuple[bytes, ...]:
    """What was made from a model directly, first recorded first."""
    with registry.reading() as connection:
        return tuple(edges.neighbours(connection, models.key(connection, model), DOWN))


def generations_down(registry: Registry, of: Sequence[bytes], depth: int | None = None) -> tuple[bytes, ...]:
    """These models and what was made from them in so many generations, or in any, the nearest first."""
    with registry.reading() as connection:
        found = dict.fromkeys(models.keys(connection, of).values())
        generation = list(found)
        while generation and depth != 0:
            generation = [child for child in edges.made_from(connection, generation) if child not in found]
            found |= dict.fromkeys(generation)
            depth = None if depth is None else depth - 1
        return _hashes(connection, list(found))


def roots(registry: Registry, of: bytes | None = None) -> tuple[bytes, ...]:
    """The models that were made from no other: all of them, or those that one model goes back to."""
    with registry.reading() as connection:
        return tuple(edges.ends(connection, UP, None if of is None else models.key(connection, of)))


def leaves(registry: Registry, of: bytes | None = None) -> tuple[bytes, ...]:
    """The models that no other was made from: all of them, or those that one model led to."""
    with registry.reading() as connection:
        return tuple(edges.ends(connection, DOWN, None if of is None else models.key(connection, of)))


def common_ancestors(registry: Registry, one: bytes, other: bytes) -> tuple[bytes, ...]:
    """What both models go back to, nearest to the first first; a model goes back to itself, as in git merge-base."""
    with registry.reading() as connection:
        lines = [[model, *edges.reachable(connection, models.key(connection, model), UP)] for model in (one, other)]
    shared = set(lines[1])
    return tuple(model for model in lines[0] if model in shared)


def topological_order(registry: Registry, of: bytes | None = None) -> tuple[bytes, ...]:
    """Parents before children: a model with all its ancestors, or the whole registry; ties in order of arrival."""
    with registry.reading() as connection:
        if of is None:
            known = edges.all_edges(connection)
            keys: list[int] = list(connection.execute("SELECT id FROM model").scalars())
        else:
            start = models.key(connection, of)
            known = edges.edges_above(connection, start)
            keys = _members(known, start)
        return _hashes(connection, in_order(known, keys))


def depth(registry: Registry, model: bytes) -> int:
    """How many derivations lie between a model and its roots, on the longest way."""
    with registry.reading() as connection:
        start = models.key(connection, model)
        known = edges.edges_above(connection, start)
    return depths(known, _members(known, start))[start]


def path(registry: Registry, ancestor: bytes, model: bytes) -> tuple[bytes, ...]:
    """A shortest way from an ancestor down to a model, both included; empty where it does not descend from it."""
    with registry.reading() as connection:
        goal, start = models.key(connection, ancestor), models.key(connection, model)
        return _hashes(connection, shortest_path(edges.edges_above(connection, start), start, goal))


def path_evidence(registry: Registry, way: Sequence[bytes]) -> Evidence | None:
    """What a path from ancestor to child is worth: its weakest edge, each as good as its best attested step."""
    return weakest(_edge_evidence(registry, *pair) for pair in pairwise(way))


def _edge_evidence(registry: Registry, parent: bytes, child: bytes) -> Evidence:
    steps = (record for record in registry.steps_of(child) if not record.reproduces)
    grades = [r.evidence for r in steps if parent in {used.model_hash for used in r.step.inputs}]
    if not grades:
        raise UsageError(f"no edge leads from {format_hash(parent)} to {format_hash(child)}: this is not a path")
    return max(grades)


def _members(known: Edges, start: int) -> list[int]:
    return list(dict.fromkeys([start, *known, *(parent for above in known.values() for parent in above)]))


def _hashes(connection: Connection, keys: Sequence[int]) -> tuple[bytes, ...]:
    digests = models.hashes(connection, keys)
    return tuple(digests[key] for key in keys)
