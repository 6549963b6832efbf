"""What is this? A model by its hash, else the known models that share its weights, or some of its tensors."""

from dataclasses import dataclass
from typing import final

from lineal.checkpoint.content.identity import Manifest
from lineal.lineage.database.statements import rows_for
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models


@final
@dataclass(frozen=True)
class Match:
    """A known model. same_model: hash for hash; same_weights: all tensors and no others; shared: tensors, and bytes."""

    model_hash: bytes
    same_model: bool
    same_weights: bool
    shared_tensors: int
    shared_bytes: int


def matches(registry: Registry, manifest: Manifest, limit: int = 10) -> tuple[Match, ...]:
    """The known models that hold tensors of this one, byte for byte and under any name: the most bytes first."""
    sizes = {leaf.data_hash: leaf.byte_length for leaf in manifest.leaves}
    query = """
        SELECT DISTINCT model_id, data_hash FROM tensor JOIN model_tensor ON tensor_id = tensor.id
        WHERE data_hash IN :values
    """
    shared: dict[int, list[bytes]] = {}
    with registry.reading() as connection:
        for model, data in rows_for(connection, query, sizes):
            shared.setdefault(model, []).append(data)
        hashes = models.hashes(connection, shared)
        facts = models.facts(connection, hashes.values())
    found = [
        Match(
            hashes[key],
            hashes[key] == manifest.model_hash,
            facts[hashes[key]].weights_hash == manifest.weights_hash,
            len(common),
            sum(sizes[data] for data in common),
        )
        for key, common in shared.items()
    ]
    found.sort(key=lambda match: (not match.same_model, not match.same_weights, -match.shared_bytes, match.model_hash))
    return tuple(found[:limit])
