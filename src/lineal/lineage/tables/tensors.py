"""The tensors of models in the registry: each stored once, however many models hold it, as stored or as published."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TypeAlias

from lineal.checkpoint.content.identity import Leaf
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.statements import batches, insert

Held: TypeAlias = Literal["model_tensor", "model_published_tensor"]
"""The tables that say which model holds which tensors: as it is stored, or as its architecture is published."""

STORED: Held = "model_tensor"
PUBLISHED: Held = "model_published_tensor"

_SPEC = {"name": "text", "dtype": "text", "shape": "text", "byte_length": "integer"}
_SPEC_ID = """(
    SELECT id FROM tensor_spec
    WHERE name = {name} AND dtype = {dtype} AND shape = {shape} AND byte_length = {byte_length}
)"""
_SPECS = Insertion("tensor_spec", _SPEC, on_conflict="ON CONFLICT DO NOTHING")
_TENSORS = Insertion(
    "tensor",
    {"data_hash": "blob", **_SPEC},
    {"data_hash": "{data_hash}", "spec_id": _SPEC_ID},
    on_conflict="ON CONFLICT DO NOTHING",
)


def put(connection: Connection, table: Held, leaves: Iterable[tuple[int, Leaf]]) -> None:
    """Let models, by their keys, hold tensors; one that a model holds already it holds once."""
    held = Insertion(
        table,
        {"model_id": "integer", "data_hash": "blob", **_SPEC},
        {
            "model_id": "{model_id}",
            "tensor_id": f"(SELECT id FROM tensor WHERE data_hash = {{data_hash}} AND spec_id = {_SPEC_ID})",
        },
        on_conflict="ON CONFLICT DO NOTHING",
    )
    for some in batches(leaves):
        rows = [(key, *_leaf_row(leaf)) for key, leaf in some]
        insert(connection, _SPECS, dict.fromkeys(row[2:] for row in rows))
        insert(connection, _TENSORS, dict.fromkeys(row[1:] for row in rows))
        insert(connection, held, rows)


def of_model(connection: Connection, table: Held, model_id: int) -> list[Leaf]:
    """Those of one model, in no order."""
    rows = connection.execute(
        f"""
            SELECT spec.name, spec.dtype, spec.shape, spec.byte_length, tensor.data_hash
            FROM {table} JOIN tensor ON tensor.id = tensor_id JOIN tensor_spec AS spec ON spec.id = spec_id
            WHERE model_id = :model_id
        """,
        {"model_id": model_id},
    )
    return [Leaf(name, dtype, tuple(json.loads(shape)), length, data) for name, dtype, shape, length, data in rows]


def _leaf_row(leaf: Leaf) -> tuple[object, ...]:
    return leaf.data_hash, leaf.name, leaf.dtype, _shape_as_json(leaf.shape), leaf.byte_length


@lru_cache(maxsize=1000)
def _shape_as_json(shape: tuple[int, ...]) -> str:
    """Many tensors of a model have the same shape."""
    return json.dumps(shape, separators=(",", ":"))
