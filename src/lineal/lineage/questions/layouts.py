"""The same weights in another layout: which models hold them, and which steps did nothing else than store them so."""

from collections.abc import Iterable, Mapping

from lineal.checkpoint.content.identity import Leaf
from lineal.lineage.database.connection import Connection
from lineal.lineage.records.records import KnownModel, StepRecord
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models

ANOTHER_LAYOUT = "the same weights in another layout"


def published(registry: Registry, model: bytes) -> tuple[Leaf, ...] | None:
    """A model's tensors as its architecture is published, by name; None where that is not known."""
    with registry.reading() as connection:
        return models.published(connection, model, models.manifest(connection, model))


def in_another_layout(connection: Connection, weights_hash: bytes, layout_hash: bytes | None) -> tuple[bytes, ...]:
    """The known models that hold these weights stored otherwise, first known first."""
    query = """
        SELECT model_hash FROM model WHERE layout_hash = :layout_hash AND weights_hash <> :weights_hash ORDER BY id
    """
    if layout_hash is None:
        return ()
    return tuple(connection.execute(query, {"layout_hash": layout_hash, "weights_hash": weights_hash}).scalars())


def another_layout_of(connection: Connection, records: Iterable[StepRecord]) -> Mapping[tuple[bytes, bytes], bytes]:
    """Derivation id and child -> the first input whose weights the child holds in another layout, where there is one."""
    made = list(records)
    known = models.facts(connection, dict.fromkeys(record.child for record in made))
    laid = [record for record in made if known[record.child].layout_hash is not None]
    known |= models.facts(connection, dict.fromkeys(used.model_hash for record in laid for used in record.step.inputs))
    found: dict[tuple[bytes, bytes], bytes] = {}
    for record in laid:
        first = _first_input(record, known)
        if first is not None:
            found[record.step.derivation_id, record.child] = first
    return found


def _first_input(record: StepRecord, known: Mapping[bytes, KnownModel]) -> bytes | None:
    inputs = (used.model_hash for used in record.step.inputs)
    return next((one for one in inputs if known[record.child].is_another_layout_of(known[one])), None)
