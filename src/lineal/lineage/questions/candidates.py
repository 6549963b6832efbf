"""The known models that weights of unknown origin could come from, by what the registry says of their tensors."""

import json
from itertools import chain

from lineal.lineage.database.statements import rows_for
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry
from lineal.lineage.tables import edges, models, tensors
from lineal.lineage.tables.edges import DOWN


def candidates(registry: Registry, model: ModelRecord) -> tuple[bytes, ...]:
    """Models that lie somewhere and have matrices as wide as this one's, or are adapters; first known first.

    Matrices are those that a model stores or is published with. Without the model itself and what is known to be made
    from it. No file is opened.
    """
    model_hash, leaves = model.manifest.model_hash, model.published or model.manifest.leaves
    widths = {leaf.shape[-1] for leaf in leaves if len(leaf.shape) > 1}
    with registry.reading() as connection:
        located: list[int] = [
            row[0] for row in connection.execute("SELECT DISTINCT model_id FROM location ORDER BY model_id")
        ]
        query = "SELECT id, model_hash, form FROM model WHERE id IN :values"
        known = {row.id: row for row in rows_for(connection, query, located)}
        shapes = """
            SELECT DISTINCT model_id, shape FROM {table} JOIN tensor ON tensor.id = tensor_id
            JOIN tensor_spec ON tensor_spec.id = spec_id WHERE model_id IN :values
        """
        either = (shapes.format(table=table) for table in (tensors.STORED, tensors.PUBLISHED))
        fitting = {
            model
            for model, shape in chain.from_iterable(rows_for(connection, shape_of, located) for shape_of in either)
            if known[model].form == "adapter" or (len(size := json.loads(shape)) > 1 and size[-1] in widths)
        }
        own = models.keys(connection, [model_hash]).get(model_hash)
        made_from_it = set() if own is None else set(edges.reachable(connection, own, DOWN))
    excluded = {model_hash, *made_from_it}
    return tuple(known[key].model_hash for key in sorted(fitting) if known[key].model_hash not in excluded)
