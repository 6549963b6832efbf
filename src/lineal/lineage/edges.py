"""Walks along the edges, in SQL: recursive CTEs that visit each model once, however many ways lead to it."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, text

UP, DOWN = ("child_id", "model_id"), ("model_id", "child_id")
"""The way from a child to what it was made from, and back: (column we stand on, column we go to) of step_input."""

EVERYTHING = 2**62
"""A limit that no registry reaches."""

Edges = Mapping[int, Sequence[int]]
"""For each child its parents in order: first recorded step first, then by position."""


def reachable(
    connection: Connection, start: int, way: tuple[str, str], limit: int | None = None, offset: int = 0
) -> list[bytes]:
    """The hashes of the models that this way leads to, nearest first, without the start."""
    here, there = way
    query = f"""
        WITH RECURSIVE reached (id) AS (
            SELECT {there} FROM step_input WHERE {here} = :start AND {there} IS NOT NULL
            UNION
            SELECT {there} FROM reached JOIN step_input ON {here} = reached.id WHERE {there} IS NOT NULL
        )
        SELECT model_hash FROM reached JOIN model ON model.id = reached.id
        LIMIT :limit OFFSET :offset
    """
    bounds = {"limit": EVERYTHING if limit is None else limit, "offset": offset}
    return list(connection.execute(text(query), {"start": start, **bounds}).scalars())


def leads_up(connection: Connection, starts: Iterable[int], goal: int) -> bool:
    """Whether the goal is one of the starts or an ancestor of one."""
    query = text("""
        WITH RECURSIVE reached (id) AS (
            SELECT id FROM model WHERE id IN :starts
            UNION
            SELECT model_id FROM reached JOIN step_input ON child_id = reached.id
        )
        SELECT 1 FROM reached WHERE id = :goal LIMIT 1
    """).bindparams(bindparam("starts", expanding=True))
    return connection.execute(query, {"starts": list(starts), "goal": goal}).first() is not None


def edges_above(connection: Connection, start: int) -> Edges:
    """Every edge between a model and its ancestors."""
    query = """
        WITH RECURSIVE reached (id) AS (
            SELECT id FROM model WHERE id = :start
            UNION
            SELECT model_id FROM reached JOIN step_input ON child_id = reached.id
        )
        SELECT child_id, model_id FROM reached JOIN step_input ON child_id = reached.id ORDER BY step_id, position
    """
    return _by_child(connection.execute(text(query), {"start": start}).tuples())


def all_edges(connection: Connection) -> Edges:
    query = "SELECT child_id, model_id FROM step_input WHERE child_id IS NOT NULL ORDER BY step_id, position"
    return _by_child(connection.execute(text(query)).tuples())


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


def _by_child(rows: Iterable[tuple[int, int]]) -> Edges:
    parents: dict[int, dict[int, None]] = {}
    for child, parent in rows:
        parents.setdefault(child, {})[parent] = None
    return {child: tuple(distinct) for child, distinct in parents.items()}
