"""What is this? A model by its hash, else the known models that share its weights, or some of its tensors."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.content.identity import Leaf
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.statements import rows_for
from lineal.lineage.records.records import ModelRecord, another_layout
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models, tensors


@final
@dataclass(frozen=True)
class Match:
    """A known model. same_model: hash for hash; same_weights: all tensors and no others; shared: tensors, and bytes.

    another_layout: the same weights, stored otherwise; tensors: of how many those shared are, which are counted as they
    are published where that is known.
    """

    model_hash: bytes
    same_model: bool
    same_weights: bool
    another_layout: bool
    shared_tensors: int
    shared_bytes: int
    tensors: int


def matches(registry: Registry, model: ModelRecord, limit: int = 10) -> tuple[Match, ...]:
    """The known models that hold tensors of this one, byte for byte and under any name: the most bytes first."""
    published, stored = model.published or (), model.manifest.leaves
    with registry.reading() as connection:
        held = _held(connection, {leaf.data_hash for leaf in (*published, *stored)})
        hashes = models.hashes(connection, held)
        facts = models.facts(connection, hashes.values())
    counted = [_Counted(leaves) for leaves in (published, stored) if leaves]
    found: list[Match] = []
    for key, data in held.items():
        known = facts[hashes[key]]
        shared, size, among = max((one.shared(data) for one in counted), key=lambda shared: shared[1])
        same = known.model_hash == model.manifest.model_hash, known.weights_hash == model.weights_hash
        found.append(Match(known.model_hash, *same, another_layout(known, model), shared, size, among))
    return tuple(sorted(found, key=_place)[:limit])


def _place(match: Match) -> tuple[object, ...]:
    alike = match.same_model, match.same_weights, match.another_layout
    return *(not one for one in alike), -match.shared_bytes, match.model_hash


@final
class _Counted:
    """Tensors of which some may be in another model, too."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        known = tuple(leaves)
        self._sizes, self._count = {leaf.data_hash: leaf.byte_length for leaf in known}, len(known)

    def shared(self, data: set[bytes]) -> tuple[int, int, int]:
        """How many are among these, how many bytes that is, and of how many."""
        common = self._sizes.keys() & data
        return len(common), sum(self._sizes[one] for one in common), self._count


def _held(connection: Connection, wanted: Iterable[bytes]) -> dict[int, set[bytes]]:
    """By the keys of models, which of these bytes each holds, as it is stored or as it is published."""
    query = """
        SELECT DISTINCT model_id, data_hash FROM tensor JOIN {table} ON tensor_id = tensor.id WHERE data_hash IN :values
    """
    asked, found = tuple(wanted), dict[int, set[bytes]]()
    for table in (tensors.STORED, tensors.PUBLISHED):
        for model, data in rows_for(connection, query.format(table=table), asked):
            found.setdefault(model, set()).add(data)
    return found
