"""The known models that weights of unknown origin could come from, by what the registry says of their tensors."""

import json

from lineal.checkpoint.content.identity import Manifest
from lineal.lineage.database.statements import rows_for
from lineal.lineage.registry import Registry
from lineal.lineage.tables import edges, models
from lineal.lineage.tables.edges import DOWN


def candidates(registry: Registry, manifest: Manifest) -> tuple[bytes, ...]:
    """Models that lie somewhere and have matrices as wide as this one's, or are adapters; first known first.

    Without the model itself and what is known to be made from it. No file is opened.
    """
    widths = {leaf.shape[-1] for leaf in manifest.leaves if len(leaf.shape) > 1}
    with registry.reading() as connection:
        located: list[int] = [
            row[0] for row in connection.execute("SELECT DISTINCT model_id FROM location ORDER BY model_id")
        ]
        query = "SELECT id, model_hash, form FROM model WHERE id IN :values"
        known = {row.id: row for row in rows_for(connection, query, located)}
        shapes = """
            SELECT DISTINCT model_id, shape FROM model_tensor JOIN tensor ON tensor.id = tensor_id
            JOIN tensor_spec ON tensor_spec.id = spec_id WHERE model_id IN :values
        """
        fitting = {
            model
            for model, shape in rows_for(connection, shapes, located)
            if known[model].form == "adapter" or (len(size := json.loads(shape)) > 1 and size[-1] in widths)
        }
        own = models.keys(connection, [manifest.model_hash]).get(manifest.model_hash)
        made_from_it = set() if own is None else set(edges.reachable(connection, own, DOWN))
    excluded = {manifest.model_hash, *made_from_it}
    return tuple(known[key].model_hash for key in sorted(fitting) if known[key].model_hash not in excluded)
