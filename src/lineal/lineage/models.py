"""Models in the registry: what they are made of, what their package is, and where they lie."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import Connection, text

from lineal.checkpoint.identity import Leaf, Manifest, manifest_of
from lineal.checkpoint.licence_texts import StatedLicence
from lineal.derivation.hashes import check_hash, format_hash
from lineal.errors import RegistryError, UsageError
from lineal.lineage.licences import AND, identifiers
from lineal.lineage.records import KnownModel, ModelRecord
from lineal.lineage.store import batches, execute_each, rows_for
from lineal.lineage.wording import printable

_ADD_MODEL = """
    INSERT INTO model (model_hash, weights_hash, form, licence, parameters, tensor_bytes)
    VALUES (:model_hash, :weights_hash, :form, :licence, :parameters, :tensor_bytes)
    ON CONFLICT (model_hash) DO UPDATE SET
        weights_hash = excluded.weights_hash, form = excluded.form, parameters = excluded.parameters,
        tensor_bytes = excluded.tensor_bytes, licence = coalesce(excluded.licence, model.licence)
"""
_ADD_SPEC = """
    INSERT INTO tensor_spec (name, dtype, shape, byte_length) VALUES (:name, :dtype, :shape, :byte_length)
    ON CONFLICT DO NOTHING
"""
_OF_SPEC = "spec.name = :name AND spec.dtype = :dtype AND spec.shape = :shape AND spec.byte_length = :byte_length"
_ADD_TENSOR = f"""
    INSERT INTO tensor (data_hash, spec_id) SELECT :data_hash, spec.id FROM tensor_spec AS spec WHERE {_OF_SPEC}
    ON CONFLICT DO NOTHING
"""
_ADD_MODEL_TENSOR = f"""
    INSERT INTO model_tensor (model_id, tensor_id)
    SELECT model.id, tensor.id
    FROM model, tensor_spec AS spec JOIN tensor ON tensor.spec_id = spec.id AND tensor.data_hash = :data_hash
    WHERE model.model_hash = :model_hash AND {_OF_SPEC}
    ON CONFLICT DO NOTHING
"""
_ADD_FILE = "INSERT INTO package_file (path, content_hash) VALUES (:path, :content_hash) ON CONFLICT DO NOTHING"
_ADD_MODEL_FILE = """
    INSERT INTO model_package (model_id, package_file_id)
    SELECT model.id, package_file.id FROM model, package_file
    WHERE model.model_hash = :model_hash AND package_file.path = :path AND package_file.content_hash = :content_hash
    ON CONFLICT DO NOTHING
"""
_ADD_LICENCE = """
    INSERT INTO model_licence (model_id, basis, licence, source)
    SELECT model.id, 'found', :stated, :source FROM model WHERE model_hash = :model_hash
    ON CONFLICT (model_id, basis) DO UPDATE SET licence = excluded.licence, source = excluded.source
"""


def add(connection: Connection, records: Iterable[ModelRecord]) -> None:
    """Write models; those known are left as they are, those only referred to are completed."""
    for batch in batches(records):
        hashed = [(record.manifest.model_hash, record) for record in batch]
        execute_each(connection, _ADD_MODEL, (_model_row(model_hash, record) for model_hash, record in hashed))
        licences = (
            _licence_row(model_hash, record.stated) for model_hash, record in hashed if record.stated is not None
        )
        execute_each(connection, _ADD_LICENCE, licences)
        leaves = [(model_hash, _leaf_row(leaf)) for model_hash, record in hashed for leaf in record.manifest.leaves]
        execute_each(connection, _ADD_SPEC, _distinct({**row, "data_hash": b""} for _, row in leaves))
        execute_each(connection, _ADD_TENSOR, _distinct(row for _, row in leaves))
        execute_each(connection, _ADD_MODEL_TENSOR, ({**row, "model_hash": digest} for digest, row in leaves))
        files = [
            (digest, {"path": path, "content_hash": content})
            for digest, record in hashed
            for path, content in record.manifest.package.items()
        ]
        execute_each(connection, _ADD_FILE, _distinct(row for _, row in files))
        execute_each(connection, _ADD_MODEL_FILE, ({**row, "model_hash": digest} for digest, row in files))


def mention(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    """The keys of these models; those that nobody added yet become unresolved ones."""
    wanted = list(dict.fromkeys(hashes))
    statement = "INSERT INTO model (model_hash) VALUES (:model_hash) ON CONFLICT DO NOTHING"
    execute_each(connection, statement, ({"model_hash": digest} for digest in wanted))
    return keys(connection, wanted)


def keys(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    """The keys of those of these models that the registry has heard of."""
    return dict(rows_for(connection, "SELECT model_hash, id FROM model WHERE model_hash IN :values", hashes))


def hashes(connection: Connection, model_keys: Iterable[int]) -> dict[int, bytes]:
    return {
        row[0]: row[1]
        for row in rows_for(connection, "SELECT id, model_hash FROM model WHERE id IN :values", model_keys)
    }


def key(connection: Connection, model_hash: bytes) -> int:
    """The key of one model; an unknown one is refused."""
    found = keys(connection, [check_hash(model_hash)])
    if not found:
        raise UsageError(f"the registry knows no model {format_hash(model_hash)}: lineal add it first")
    return found[model_hash]


def facts(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, KnownModel]:
    query = """
        SELECT model_hash, weights_hash, form, parameters, tensor_bytes, licence FROM model
        WHERE model_hash IN :values
    """
    return {row[0]: KnownModel(*row) for row in rows_for(connection, query, hashes)}


def manifest(connection: Connection, model_hash: bytes) -> Manifest:
    """The leaves and package of a resolved model, hashed again: what does not give the model's hash is refused."""
    model_id = key(connection, model_hash)
    if facts(connection, [model_hash])[model_hash].is_unresolved:
        raise UsageError(f"{format_hash(model_hash)} is unresolved, its tensors are unknown: lineal add it first")
    leaves = connection.execute(
        text("""
            SELECT spec.name, spec.dtype, spec.shape, spec.byte_length, tensor.data_hash
            FROM model_tensor JOIN tensor ON tensor.id = tensor_id JOIN tensor_spec AS spec ON spec.id = spec_id
            WHERE model_id = :model_id
        """),
        {"model_id": model_id},
    )
    package = connection.execute(
        text("""
            SELECT path, content_hash FROM model_package JOIN package_file ON package_file.id = package_file_id
            WHERE model_id = :model_id ORDER BY path
        """),
        {"model_id": model_id},
    )
    made_of = manifest_of(
        (Leaf(name, dtype, tuple(json.loads(shape)), length, data) for name, dtype, shape, length, data in leaves),
        {row.path: row.content_hash for row in package},
    )
    if made_of.model_hash != model_hash:
        raise RegistryError(f"the registry's tensors of {format_hash(model_hash)} do not give its hash: it is damaged")
    return made_of


def place(connection: Connection, location: Path, model_hash: bytes) -> None:
    """Remember where a model lies; a place holds one model, the last one put there."""
    statement = """
        INSERT INTO location (path, model_id) VALUES (:path, :model_id)
        ON CONFLICT (path) DO UPDATE SET model_id = excluded.model_id
    """
    row = {"path": _written(location), "model_id": key(connection, model_hash)}
    _ = connection.execute(text(statement), row)


def forget(connection: Connection, location: Path) -> bool:
    """Whether the place was known, which it no longer is."""
    gone = connection.execute(text("DELETE FROM location WHERE path = :path"), {"path": _written(location)})
    return gone.rowcount > 0


def locations(connection: Connection, model_hash: bytes) -> tuple[Path, ...]:
    query = "SELECT path FROM location WHERE model_id = :model_id ORDER BY path"
    return tuple(
        Path(path) for path in connection.execute(text(query), {"model_id": key(connection, model_hash)}).scalars()
    )


def at(connection: Connection, location: Path) -> bytes | None:
    """The model that lies at a place, as far as the registry knows."""
    query = "SELECT model_hash FROM location JOIN model ON model.id = model_id WHERE path = :path"
    return connection.execute(text(query), {"path": _written(location)}).scalar_one_or_none()


def _written(location: Path) -> str:
    path = str(location.resolve())
    try:
        _ = path.encode()
    except UnicodeEncodeError:
        raise RegistryError(f"the registry cannot hold the path {path!r}: it is not UTF-8; rename the folder") from None
    return path


def _model_row(model_hash: bytes, record: ModelRecord) -> dict[str, object]:
    return {
        "model_hash": model_hash,
        "weights_hash": record.manifest.weights_hash,
        "form": record.form,
        "licence": record.licence,
        "parameters": record.manifest.parameters,
        "tensor_bytes": record.manifest.tensor_bytes,
    }


def _licence_row(model_hash: bytes, stated: StatedLicence) -> dict[str, object]:
    spelled = AND.join(identifiers(stated.licence))
    return {"model_hash": model_hash, "stated": spelled, "source": printable(stated.source)}


def _leaf_row(leaf: Leaf) -> dict[str, object]:
    return {
        "name": leaf.name,
        "dtype": leaf.dtype,
        "shape": json.dumps(leaf.shape, separators=(",", ":")),
        "byte_length": leaf.byte_length,
        "data_hash": leaf.data_hash,
    }


def _distinct(rows: Iterable[Mapping[str, object]]) -> Iterable[dict[str, object]]:
    return (dict(items) for items in dict.fromkeys(tuple(row.items()) for row in rows))
