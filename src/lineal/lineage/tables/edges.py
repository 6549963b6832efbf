"""Walks along the edges, in SQL: recursive CTEs that visit each model once, however many ways lead to it."""

from collections.abc import Iterable

from lineal.lineage.database.connection import Connection, Row
from lineal.lineage.database.statements import rows_for
from lineal.lineage.tables.order import Edges

UP, DOWN = ("child_id", "model_id"), ("model_id", "child_id")
"""The way from a child to what it was made from, and back: (column we stand on, column we go to) of step_input."""

EVERYTHING = 2**62
"""A limit that no registry reaches."""


def reachable(
    connection: Connection, start: int, way: tuple[str, str], limit: int | None = None, offset: int = 0
) -> list[bytes]:
    """The hashes of the models that this way leads to, nearest first, without the start."""
    query = f"""
        {_reached(way)}
        SELECT (SELECT model_hash FROM model WHERE model.id = reached.id) AS model_hash
        FROM reached LIMIT :limit OFFSET :offset
    """  # a join instead of the inner SELECT would make SQLite walk everything before it shows the first page
    bounds = {"limit": EVERYTHING if limit is None else limit, "offset": offset}
    return list(connection.execute(query, {"start": start, **bounds}).scalars())


def count(connection: Connection, start: int, way: tuple[str, str]) -> int:
    """How many models this way leads to, without the start."""
    query = f"{_reached(way)} SELECT count(*) FROM reached"
    return connection.execute(query, {"start": start}).scalar_one()


def _reached(way: tuple[str, str]) -> str:
    here, there = way
    return f"""
        WITH RECURSIVE reached (id) AS (
            SELECT {there} FROM step_input WHERE {here} = :start AND {there} IS NOT NULL
            UNION
            SELECT {there} FROM reached JOIN step_input ON {here} = reached.id WHERE {there} IS NOT NULL
        )
    """


def neighbours(connection: Connection, start: int, way: tuple[str, str]) -> list[bytes]:
    """The hashes of the models one edge away, by step and position."""
    here, there = way
    query = f"""
        SELECT model_hash FROM step_input JOIN model ON model.id = {there}
        WHERE {here} = :start AND child_id IS NOT NULL ORDER BY step_id, position
    """
    return list(dict.fromkeys(connection.execute(query, {"start": start}).scalars()))


def ends(connection: Connection, way: tuple[str, str], start: int | None = None) -> list[bytes]:
    """The hashes of the models from which this way leads nowhere: of all, or of those reached from the start."""
    here, there = way
    reached = f"""
        SELECT id FROM model WHERE id = :start
        UNION
        SELECT {there} FROM reached JOIN step_input ON {here} = reached.id WHERE {there} IS NOT NULL
    """
    query = f"""
        WITH RECURSIVE reached (id) AS ({"SELECT id FROM model" if start is None else reached})
        SELECT model_hash FROM reached JOIN model ON model.id = reached.id
        WHERE NOT EXISTS (SELECT 1 FROM step_input WHERE {here} = reached.id AND {there} IS NOT NULL)
        ORDER BY reached.id
    """
    return list(connection.execute(query, {} if start is None else {"start": start}).scalars())


def with_children(connection: Connection, candidates: Iterable[int]) -> set[int]:
    """Those of the models that something was made from."""
    query = "SELECT DISTINCT model_id FROM step_input WHERE model_id IN :values AND child_id IS NOT NULL"
    return {row[0] for row in rows_for(connection, query, candidates)}


def made_from(connection: Connection, parents: Iterable[int]) -> list[int]:
    """The models one edge below these, by step."""
    query = """
        SELECT child_id, min(step_id) FROM step_input WHERE model_id IN :values AND child_id IS NOT NULL
        GROUP BY child_id ORDER BY min(step_id)
    """
    return list(dict.fromkeys(row[0] for row in rows_for(connection, query, parents)))


def leads_up(connection: Connection, starts: Iterable[int], goal: int) -> bool:
    """Whether the goal is one of the starts or an ancestor of one."""
    query = """
        WITH RECURSIVE reached (id) AS (
            SELECT id FROM model WHERE id IN :starts
            UNION
            SELECT model_id FROM reached JOIN step_input ON child_id = reached.id
        )
        SELECT 1 FROM reached WHERE id = :goal LIMIT 1
    """
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
    return _by_child(connection.execute(query, {"start": start}))


def all_edges(connection: Connection) -> Edges:
    query = "SELECT child_id, model_id FROM step_input WHERE child_id IS NOT NULL ORDER BY step_id, position"
    return _by_child(connection.execute(query))


def _by_child(rows: Iterable[Row]) -> Edges:
    parents: dict[int, dict[int, None]] = {}
    for child, parent in rows:
        parents.setdefault(child, {})[parent] = None
    return {child: tuple(distinct) for child, distinct in parents.items()}
