"""The same weights in another layout: which models hold them, and which steps did nothing else than store them so."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from lineal.checkpoint.content.identity import Leaf, Manifest
from lineal.lineage.database.connection import Connection
from lineal.lineage.records.records import KnownModel, StepRecord, Weights, another_layout
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models, references

Relaid: TypeAlias = Mapping[tuple[bytes, bytes], bytes]
"""By child and derivation id, what a step was given whose weights the child holds in another layout."""

ANOTHER_LAYOUT = "the same weights in another layout"


def if_another_layout(one: Weights, other: Weights) -> str:
    """What is added where one of them is said not to be the other: nothing where the weights are others, too."""
    return f", {ANOTHER_LAYOUT}" if another_layout(one, other) else ""


def in_both_layouts(registry: Registry, model: bytes) -> tuple[Manifest, tuple[Leaf, ...] | None]:
    """What a model stores, and its tensors as its architecture is published; None where that is not known."""
    with registry.reading() as connection:
        made_of = models.manifest(connection, model)
        return made_of, models.published(connection, model, made_of)


def with_layout(connection: Connection, layout_hash: bytes) -> tuple[bytes, ...]:
    """The known models whose weights are these, in whichever layout; first known first."""
    query = "SELECT model_hash FROM model WHERE layout_hash = :layout_hash ORDER BY id"
    return tuple(connection.execute(query, {"layout_hash": layout_hash}).scalars())


def by_layout_hash(registry: Registry, reference: str) -> Mapping[bytes, bytes]:
    """The known models whose layout hash begins so, and that hash; those of one hash together, first known first."""
    query = """
        SELECT model_hash, layout_hash FROM model WHERE layout_hash BETWEEN :lowest AND :highest
        ORDER BY layout_hash, id
    """
    with registry.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query, references.hash_range(reference))}


def in_another_layout(connection: Connection, model: KnownModel) -> tuple[bytes, ...]:
    """The known models that hold a model's weights stored otherwise, first known first."""
    if model.layout_hash is None:
        return ()
    alike = with_layout(connection, model.layout_hash)
    known = models.facts(connection, alike)
    return tuple(one for one in alike if another_layout(known[one], model))


def another_layout_of(
    connection: Connection, records: Iterable[StepRecord], children: Mapping[bytes, KnownModel]
) -> Relaid:
    """The steps whose child holds the weights of an input in another layout, and of which: the first where several are.

    children: those of the steps.
    """
    laid = [record for record in records if children[record.child].layout_hash is not None]
    inputs = models.facts(connection, dict.fromkeys(used.model_hash for record in laid for used in record.step.inputs))
    found: dict[tuple[bytes, bytes], bytes] = {}
    for record in laid:
        child, used = children[record.child], (inputs[one.model_hash] for one in record.step.inputs)
        first = next((one.model_hash for one in used if another_layout(child, one)), None)
        if first is not None:
            found[record.child, record.step.derivation_id] = first
    return found
