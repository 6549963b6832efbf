"""Signatures in the registry: of models and of steps, each as the envelope that it came in, one for each key."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import final

from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import rows_for
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.tables import models, steps

_OF_MODELS = """
    SELECT model_hash, derivation_id AS signed_step, key_id, envelope
    FROM signature JOIN model ON model.id = model_id LEFT JOIN step ON step.id = step_id
    WHERE model_hash IN :values ORDER BY signature.id
"""
_KEEP = """
    INSERT INTO signature (model_id, step_id, key_id, envelope)
    VALUES (:model_id, (SELECT id FROM step WHERE derivation_id = :derivation_id AND child_id = :model_id), :key_id,
        :envelope)
    ON CONFLICT (model_id, (coalesce(step_id, 0)), key_id) DO UPDATE SET envelope = excluded.envelope
"""


@final
@dataclass(frozen=True)
class Signature:
    """A signature of a model, or of the step (by its derivation id) that gave the model.

    key_id: of the key that signed, in hex; envelope: DSSE, as JSON, with this signature alone and its public key.
    """

    model: bytes
    derivation_id: bytes | None
    key_id: str
    envelope: str


def keep(connection: Connection, signatures: Iterable[Signature], trusted: Collection[str]) -> None:
    """Keep signatures; steps that one of the trusted keys (by id) has signed are of the grade signed from now on."""
    for signature in signatures:
        made = steps.of_children(connection, [signature.model]).get(signature.model, [])
        signed = [record for record in made if record.step.derivation_id == signature.derivation_id]
        if signature.derivation_id is not None and not signed:
            raise UsageError(
                f"the registry knows no step {format_hash(signature.derivation_id)} "
                f"that gave {format_hash(signature.model)}"
            )
        row = {
            "model_id": models.key(connection, signature.model),
            "derivation_id": signature.derivation_id,
            "key_id": bytes.fromhex(signature.key_id),
            "envelope": signature.envelope,
        }
        with sealed(connection, ["signature"], [signature.model]):
            _ = connection.execute(_KEEP, row)
        for record in signed if signature.key_id in trusted else ():
            _ = steps.raise_evidence(connection, record, Evidence.SIGNED, None)


def of_models(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, tuple[Signature, ...]]:
    """The signatures of each of these models and of the steps that gave it, first kept first."""
    found: dict[bytes, tuple[Signature, ...]] = {}
    for model, derivation_id, key_id, envelope in rows_for(connection, _OF_MODELS, hashes):
        found[model] = (*found.get(model, ()), Signature(model, derivation_id, key_id.hex(), envelope))
    return found


def signed_models(connection: Connection) -> list[bytes]:
    """The models that signatures are kept for."""
    query = "SELECT DISTINCT model_hash FROM signature JOIN model ON model.id = model_id ORDER BY model_hash"
    return list(connection.execute(query).scalars())


def faults(connection: Connection) -> Iterator[str]:
    """Steps of the grade signed of which no signature is kept."""
    query = """
        SELECT model_hash FROM step JOIN model ON model.id = child_id
        WHERE evidence = :signed AND step.id NOT IN (SELECT step_id FROM signature WHERE step_id IS NOT NULL)
        ORDER BY step.id
    """
    for child in connection.execute(query, {"signed": Evidence.SIGNED.value}).scalars():
        yield f"{format_hash(child)[:11]}: a step that gave it is graded signed, but no signature of it is kept"
