"""Evaluations in the registry: what a model scored on a text, the latest for each setting."""

import json
from collections.abc import Iterable, Mapping

from lineal.derivation.canonical import Json, canonical_json
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import row_of
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import rows_for
from lineal.lineage.records.records import Evaluation
from lineal.lineage.tables import models

_COLUMNS = "text, data_hash, settings, perplexity, bits_per_byte, kl, tokens, text_bytes"

_OF_MODELS = f"""
    SELECT evaluation.id, model.model_hash, reference.model_hash AS reference_hash, {_COLUMNS}
    FROM evaluation JOIN model ON model.id = model_id LEFT JOIN model AS reference ON reference.id = reference_id
    WHERE model.model_hash IN :values ORDER BY evaluation.id
"""


def record(connection: Connection, evaluation: Evaluation) -> None:
    """Keep an evaluation; the same model, text and settings again replace the figures."""
    reference = evaluation.reference
    row = {
        "model_id": models.key(connection, evaluation.model),
        "reference_id": None if reference is None else models.key(connection, reference),
        "text": evaluation.text,
        "data_hash": evaluation.data_hash,
        "settings": canonical_json(evaluation.settings).decode(),
        "perplexity": evaluation.perplexity,
        "bits_per_byte": evaluation.bits_per_byte,
        "kl": evaluation.kl,
        "tokens": evaluation.tokens,
        "text_bytes": evaluation.text_bytes,
    }
    figures = ("perplexity", "bits_per_byte", "kl", "tokens", "text_bytes")
    statement = f"""
        INSERT INTO evaluation (model_id, reference_id, {_COLUMNS}) VALUES ({", ".join(f":{name}" for name in row)})
        ON CONFLICT (model_id, data_hash, settings, text, (coalesce(reference_id, 0)))
        DO UPDATE SET {", ".join(f"{figure} = excluded.{figure}" for figure in figures)}
    """
    with sealed(connection, ["evaluation"], [evaluation.model]):
        _ = connection.execute(statement, row)


def of_models(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, tuple[Evaluation, ...]]:
    """The evaluations of each of these models, first recorded first."""
    found: dict[bytes, tuple[Evaluation, ...]] = {}
    for key, model, reference, name, data_hash, settings, *figures in rows_for(connection, _OF_MODELS, hashes):
        with row_of("evaluation", key):
            evaluation = Evaluation(model, name, data_hash, json.loads(settings), reference, *figures)
        found[model] = (*found.get(model, ()), evaluation)
    return found


def find(
    connection: Connection,
    model: bytes,
    data_hash: bytes,
    settings: Mapping[str, Json],
    reference: bytes | None = None,
) -> Evaluation | None:
    """A known evaluation of this model on these bytes under these settings, whatever the text was called."""
    wanted = (data_hash, canonical_json(settings), reference)
    for known in of_models(connection, [model]).get(model, ()):
        if (known.data_hash, canonical_json(known.settings), known.reference) == wanted:
            return known
    return None
