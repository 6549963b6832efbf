"""The order in which a family can be built: parents first, otherwise as written."""

from collections.abc import Iterable, Mapping

from lineal.errors import LineageCycle
from lineal.family.file.recipe import ModelRecipe


def dependency_order(recipes: Mapping[str, ModelRecipe], wanted: Iterable[str] | None = None) -> list[str]:
    """The wanted models (all by default) and what they are made from; a cycle is refused and named."""
    ordered: dict[str, None] = {}
    for start in recipes if wanted is None else wanted:
        trail: dict[str, list[str]] = {}  # the models being visited, innermost last, with the parents still to visit
        visiting = start
        while True:
            if visiting not in ordered and visiting not in trail:
                trail[visiting] = [r.model for r in recipes[visiting].inputs if r.model in recipes]
            pending = trail.get(visiting, [])
            if pending:
                visiting = pending.pop(0)
                if visiting in trail:
                    loop = [*list(trail)[list(trail).index(visiting) :], visiting]
                    raise LineageCycle(f"lineage cycle: {' -> '.join(loop)}")
                continue
            trail.pop(visiting, None)
            ordered[visiting] = None
            if not trail:
                break
            visiting = next(reversed(trail))
    return list(ordered)
