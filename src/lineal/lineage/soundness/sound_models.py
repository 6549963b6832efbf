"""Whether what the registry says of each model follows from the model's own tensors and files."""

from collections.abc import Iterator

from lineal.derivation.hashes import format_hash
from lineal.errors import RegistryError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import IllFormedRow
from lineal.lineage.tables import models


def faults(connection: Connection) -> Iterator[str]:
    query = 'SELECT model_hash AS "key" FROM model'
    for digest in list(connection.execute(query).scalars()):
        if isinstance(digest, bytes) and len(digest) == 32:
            try:
                yield from _of_model(connection, digest)
            except (RegistryError, IllFormedRow) as error:
                yield f"{format_hash(digest)[:11]}: {error}"


def _of_model(connection: Connection, digest: bytes) -> Iterator[str]:
    known = models.facts(connection, [digest])[digest]
    if known.is_unresolved:
        beside = known.layout_hash is not None or models.has_published(connection, digest)
        if beside or models.has_contents(connection, digest):
            yield f"{format_hash(digest)[:11]}: its tensors are known, but not the hash of its weights"
        return
    made_of = models.manifest(connection, digest)
    try:
        if models.published(connection, digest, made_of) is None and models.has_published(connection, digest):
            yield f"{format_hash(digest)[:11]}: its published tensors are known, but not its layout hash"
    except RegistryError as error:
        yield f"{format_hash(digest)[:11]}: {error}"
    follows = {
        "hash of the weights": known.weights_hash == made_of.weights_hash,
        "parameters": made_of.may_stand_for(known.parameters),
        "bytes of tensors": known.tensor_bytes == made_of.tensor_bytes,
    }
    for name, is_right in follows.items():
        if not is_right:
            yield f"{format_hash(digest)[:11]}: its {name} do not follow from its tensors"
