"""Which ancestor introduced the bytes that each tensor of a model has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import final

from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.statements import rows_for
from lineal.lineage.questions.layouts import in_both_layouts
from lineal.lineage.registry import Registry
from lineal.lineage.tables import edges, models, tensors
from lineal.lineage.tables.names import listed
from lineal.lineage.tables.order import Edges
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Blamed:
    """A tensor of a model, and the ancestor, or the model itself, that had these bytes first."""

    tensor: str
    introduced_by: bytes


def blame(registry: Registry, model: bytes, tensor: str | None = None) -> tuple[Blamed, ...]:
    """For every tensor, or for one: from the model up to the first parent with the same bytes, and on from there.

    A tensor that moved to another name, as blocks do in a merge of slices, keeps its bytes and is followed. Tensors are
    those that the model's architecture is published with, where that is known: these are followed into any layout.
    """
    made_of, public = in_both_layouts(registry, model)
    leaves = {leaf.name: leaf.data_hash for leaf in (made_of.leaves if public is None else public)}
    if tensor is not None and tensor not in leaves:
        at_hand = {leaf.name for leaf in made_of.leaves}
        instead = _published_near(tensor, leaves.keys() - at_hand) if tensor in at_hand else ""
        raise UsageError(instead or f"{registry.label(model)} has no tensor {quoted(tensor)}")
    asked = leaves if tensor is None else {tensor: leaves[tensor]}
    with registry.reading() as connection:
        start = models.key(connection, model)
        above = edges.edges_above(connection, start)
        holders = _holders(connection, above, frozenset(asked.values()))
        first = {data: _first_holder(start, above, holders.get(data, frozenset())) for data in set(asked.values())}
        digests = models.hashes(connection, set(first.values()))
    return tuple(Blamed(name, digests[first[data]]) for name, data in asked.items())


def _published_near(stored: str, names: Iterable[str]) -> str:
    """What to ask for in the place of a tensor that the model stores, and is not published with."""
    words = stored.split(".")

    def in_common(name: str) -> int:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words, name.split("."), strict=False)))

    common = {name: in_common(name) for name in names}
    nearest = [name for name in sorted(common) if common[name] == max(common.values())]
    return f"{quoted(stored)} is asked for by the tensors that it is published as, such as {listed(nearest)}"


def _holders(connection: Connection, above: Edges, wanted: frozenset[bytes]) -> Mapping[bytes, frozenset[int]]:
    """Data hash -> the ancestors that have a tensor with these bytes, as they store it or as it is published."""
    ancestors: Sequence[int] = list(dict.fromkeys(parent for parents in above.values() for parent in parents))
    query = "SELECT model_id, data_hash FROM {table} JOIN tensor ON tensor.id = tensor_id WHERE model_id IN :values"
    found: dict[bytes, set[int]] = {}
    for table in (tensors.STORED, tensors.PUBLISHED):
        for ancestor, data in rows_for(connection, query.format(table=table), ancestors):
            if data in wanted:
                found.setdefault(data, set()).add(ancestor)
    return {data: frozenset(holders) for data, holders in found.items()}


def _first_holder(start: int, above: Edges, holders: frozenset[int]) -> int:
    """Up from parent to parent as long as one has the bytes."""
    here = start
    while True:
        parent = next((parent for parent in above.get(here, ()) if parent in holders), None)
        if parent is None:
            return here
        here = parent
