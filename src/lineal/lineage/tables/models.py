"""Models in the registry: what they are made of, what their package is, and where they lie."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lineal.checkpoint.content.identity import Leaf, Manifest, gives_layout_hash, manifest_of
from lineal.checkpoint.inside import resolved
from lineal.checkpoint.licence.stated import StatedLicence
from lineal.derivation.hashes import check_hash, format_hash
from lineal.errors import RegistryError, UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import row_of
from lineal.lineage.database.insertion import Insertion
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import batches, insert, rows_for
from lineal.lineage.records.licences import AND, identifiers
from lineal.lineage.records.records import KnownModel, ModelRecord
from lineal.lineage.tables import tensors
from lineal.shown import printable, quoted

_MODELS = Insertion(
    "model",
    {
        "model_hash": "blob",
        "weights_hash": "blob",
        "form": "text",
        "licence": "text",
        "parameters": "integer",
        "tensor_bytes": "integer",
        "layout_hash": "blob",
    },
    on_conflict="""
        ON CONFLICT (model_hash) DO UPDATE SET
            weights_hash = excluded.weights_hash, form = coalesce(model.form, excluded.form),
            parameters = excluded.parameters, tensor_bytes = excluded.tensor_bytes,
            licence = coalesce(excluded.licence, model.licence),
            layout_hash = coalesce(excluded.layout_hash, model.layout_hash)
    """,
)
_MENTIONED = Insertion("model", {"model_hash": "blob"}, on_conflict="ON CONFLICT DO NOTHING")
_FILE = {"path": "text", "content_hash": "blob"}
_FILES = Insertion("package_file", _FILE, on_conflict="ON CONFLICT DO NOTHING")
_MODEL_FILES = Insertion(
    "model_package",
    {"model_id": "integer", **_FILE},
    {
        "model_id": "{model_id}",
        "package_file_id": "(SELECT id FROM package_file WHERE path = {path} AND content_hash = {content_hash})",
    },
    on_conflict="ON CONFLICT DO NOTHING",
)

_LICENCES = Insertion(
    "model_licence",
    {"model_id": "integer", "basis": "text", "licence": "text", "source": "text"},
    on_conflict="ON CONFLICT (model_id, basis) DO UPDATE SET licence = excluded.licence, source = excluded.source",
)


def add(connection: Connection, records: Iterable[ModelRecord]) -> None:
    """Write models; those known are left as they are, those only referred to are completed.

    A layout hash that was not known before, or was by an earlier table of layouts, is that of the record.
    """
    for batch in batches(records):
        hashed = _once_each(batch)
        peculiar = [digest for digest, made in hashed.items() if made.form != "full" or made.licence or made.stated]
        layouts = {digest: made.layout_hash for digest, made in hashed.items() if made.layout_hash is not None}
        _forget_layouts(connection, layouts)
        with sealed(connection, ["model", "model_licence"], peculiar), sealed(connection, ["model_layout"], layouts):
            insert(connection, _MODELS, (_model_row(digest, record) for digest, record in hashed.items()))
            known = keys(connection, hashed)
            stated = ((known[digest], made.stated) for digest, made in hashed.items())
            insert(connection, _LICENCES, ((key, *_licence_row(found)) for key, found in stated if found is not None))
        leaves = ((known[digest], leaf) for digest, made in hashed.items() for leaf in made.manifest.leaves)
        tensors.put(connection, tensors.STORED, leaves)
        otherwise = ((known[digest], leaf) for digest, made in hashed.items() for leaf in made.not_as_stored)
        tensors.put(connection, tensors.PUBLISHED, otherwise)
        files = [(known[digest], file) for digest, made in hashed.items() for file in made.manifest.package.items()]
        insert(connection, _FILES, dict.fromkeys(file for _, file in files))
        insert(connection, _MODEL_FILES, ((key, *file) for key, file in files))


def _once_each(records: Iterable[ModelRecord]) -> dict[bytes, ModelRecord]:
    """By hash, the last where one comes twice: a statement may touch a row only once. What was once told stays."""
    found: dict[bytes, ModelRecord] = {}
    for record in records:
        digest = record.manifest.model_hash
        before = found.get(digest, record)
        licence = before.licence if record.licence is None else record.licence
        published = before.published if record.published is None else record.published
        found[digest] = replace(record, licence=licence, published=published)
    return found


def _forget_layouts(connection: Connection, layouts: Mapping[bytes, bytes]) -> None:
    """The published tensors of models, by hash, that come with other ones now."""
    query = "SELECT id, model_hash, layout_hash FROM model WHERE layout_hash IS NOT NULL AND model_hash IN :values"
    stale = [row.id for row in rows_for(connection, query, layouts) if layouts[row.model_hash] != row.layout_hash]
    for some in batches(stale):
        _ = connection.execute(f"DELETE FROM {tensors.PUBLISHED} WHERE model_id IN :values", {"values": some})


def mention(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    """The keys of these models; those that nobody added yet become unresolved ones."""
    wanted = dict.fromkeys(hashes)
    known = keys(connection, wanted)
    unknown = [digest for digest in wanted if digest not in known]
    insert(connection, _MENTIONED, ((digest,) for digest in unknown))
    return known | keys(connection, unknown)


def keys(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    """The keys of those of these models that the registry has heard of."""
    return dict(rows_for(connection, "SELECT model_hash, id FROM model WHERE model_hash IN :values", hashes))


def hashes(connection: Connection, model_keys: Iterable[int]) -> dict[int, bytes]:
    """By key; a key that something refers to and no model has was edited in or away."""
    wanted = set(model_keys)
    found = dict(rows_for(connection, "SELECT id, model_hash FROM model WHERE id IN :values", wanted))
    for missing in wanted - found.keys():
        raise RegistryError(f"the registry refers to a model {missing} that it does not hold: lineal check tells all")
    return found


def keys_of_known(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, int]:
    """The keys of these models; one that is unknown is refused."""
    wanted = dict.fromkeys(check_hash(digest) for digest in hashes)
    found = keys(connection, wanted)
    for digest in wanted:
        if digest not in found:
            raise UsageError(f"the registry knows no model {format_hash(digest)}: lineal add it first")
    return found


def key(connection: Connection, model_hash: bytes) -> int:
    """The key of one model; an unknown one is refused."""
    return keys_of_known(connection, [model_hash])[model_hash]


def facts(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, KnownModel]:
    query = """
        SELECT model_hash, weights_hash, form, parameters, tensor_bytes, licence AS licence_texts, layout_hash
        FROM model WHERE model_hash IN :values
    """
    return {row[0]: KnownModel(*row) for row in rows_for(connection, query, hashes)}


def manifest(connection: Connection, model_hash: bytes) -> Manifest:
    """The leaves and package of a resolved model, hashed again: what does not give the model's hash is refused."""
    model_id = key(connection, model_hash)
    if facts(connection, [model_hash])[model_hash].is_unresolved:
        raise UsageError(f"{format_hash(model_hash)} is unresolved, its tensors are unknown: lineal add it first")
    package = connection.execute(
        """
            SELECT path, content_hash FROM model_package JOIN package_file ON package_file.id = package_file_id
            WHERE model_id = :model_id ORDER BY path
        """,
        {"model_id": model_id},
    )
    files = {row.path: row.content_hash for row in package}
    with row_of("model", model_id):  # a dimension may be larger than a leaf's hash can say
        made_of = manifest_of(tensors.of_model(connection, tensors.STORED, model_id), files)
        changed = made_of.model_hash != model_hash
    if changed:
        raise RegistryError(f"the registry's tensors of {format_hash(model_hash)} do not give its hash: it is damaged")
    return made_of


def published(connection: Connection, model_hash: bytes, made_of: Manifest) -> tuple[Leaf, ...] | None:
    """The leaves of a model's tensors as its architecture is published, by name; None where that is not known."""
    known = facts(connection, [model_hash])[model_hash].layout_hash
    if known is None:
        return None
    model_id = key(connection, model_hash)
    with row_of("model", model_id):
        otherwise = tensors.of_model(connection, tensors.PUBLISHED, model_id)
        leaves = tuple(sorted(otherwise, key=lambda leaf: leaf.name.encode())) or made_of.leaves
        changed = not gives_layout_hash(known, made_of, leaves)
    if changed:
        raise RegistryError(
            f"the registry's published tensors of {format_hash(model_hash)} do not give its layout hash: it is damaged"
        )
    return leaves


def has_published(connection: Connection, model_hash: bytes) -> bool:
    """Whether the model has published tensors that are not those that it stores."""
    query = (
        "SELECT 1 FROM model JOIN model_published_tensor ON model_id = model.id WHERE model_hash = :model_hash LIMIT 1"
    )
    return connection.execute(query, {"model_hash": model_hash}).first() is not None


def has_contents(connection: Connection, model_hash: bytes) -> bool:
    """Whether a tensor or a file of the model is known."""
    query = """
        SELECT 1 FROM model WHERE model_hash = :model_hash AND (
            EXISTS (SELECT 1 FROM model_tensor WHERE model_id = model.id)
            OR EXISTS (SELECT 1 FROM model_package WHERE model_id = model.id)
        )
    """
    return connection.execute(query, {"model_hash": model_hash}).first() is not None


def place(connection: Connection, location: Path, model_hash: bytes) -> None:
    """Remember where a model lies; a place holds one model, the last one put there."""
    statement = """
        INSERT INTO location (path, model_id) VALUES (:path, :model_id)
        ON CONFLICT (path) DO UPDATE SET model_id = excluded.model_id
    """
    row = {"path": _written(location), "model_id": key(connection, model_hash)}
    _ = connection.execute(statement, row)


def forget(connection: Connection, location: Path) -> bool:
    """Whether the place was known, which it no longer is."""
    gone = connection.execute("DELETE FROM location WHERE path = :path", {"path": _written(location)})
    return gone.rowcount > 0


def locations(connection: Connection, model_hash: bytes) -> tuple[Path, ...]:
    query = "SELECT path FROM location WHERE model_id = :model_id ORDER BY path"
    return tuple(Path(path) for path in connection.execute(query, {"model_id": key(connection, model_hash)}).scalars())


def at(connection: Connection, location: Path) -> bytes | None:
    """The model that lies at a place, as far as the registry knows."""
    query = "SELECT model_hash FROM location JOIN model ON model.id = model_id WHERE path = :path"
    return connection.execute(query, {"path": _written(location)}).scalar_one_or_none()


def lying_at(connection: Connection, places: Iterable[Path]) -> dict[Path, bytes | None]:
    """The models that lie at many places, None where the registry knows of none."""
    written = {_written(place): place for place in places}
    query = "SELECT path, model_hash FROM location JOIN model ON model.id = model_id WHERE path IN :values"
    known = dict(rows_for(connection, query, written))
    return {place: known.get(path) for path, place in written.items()}


def _written(location: Path) -> str:
    path = str(resolved(location))
    try:
        _ = path.encode()
    except UnicodeEncodeError:
        raise RegistryError(
            f"the registry cannot hold the path {quoted(path)}: it is not UTF-8; rename the folder"
        ) from None
    return path


def _model_row(model_hash: bytes, record: ModelRecord) -> tuple[object, ...]:
    made_of = record.manifest
    told = model_hash, made_of.weights_hash, record.form, record.licence, record.parameters, made_of.tensor_bytes
    return *told, record.layout_hash


def _licence_row(stated: StatedLicence) -> tuple[str, str, str]:
    return "found", AND.join(identifiers(stated.licence)), printable(stated.source)
