"""Data files as the registry knows them: by their content, under the names they had where models were made on them."""

from pathlib import Path

from lineal.checkpoint.content.hashing import hash_file
from lineal.derivation.hashes import HASH_LENGTH, format_hash, parse_hash
from lineal.derivation.step import DataFile
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.tables.edges import EVERYTHING
from lineal.lineage.tables.names import HASH_PREFIX, listed, shortened
from lineal.shown import quoted

_KNOWN = "SELECT name, data_hash FROM data_file"
_ON_DATA = "JOIN step_data ON step_id = step.id JOIN data_file ON data_file.id = data_file_id"
_WHERE = "WHERE data_hash = :digest AND reproduces = 0"
_REACHED = f"""
    WITH RECURSIVE reached (id) AS (
        SELECT step.child_id FROM step {_ON_DATA} {_WHERE}
        UNION
        SELECT child_id FROM reached JOIN step_input ON model_id = reached.id WHERE child_id IS NOT NULL
    )
"""


def resolve(connection: Connection, reference: str) -> DataFile:
    """What a file on this disk, a `b3:` hash or a name of a data file stands for; a file need not be known."""
    if reference.startswith(HASH_PREFIX) and len(reference) == len(HASH_PREFIX) + 2 * HASH_LENGTH:
        digest = parse_hash(reference)
        return DataFile(name_of(connection, digest) or shortened(digest), digest)
    if Path(reference).is_file():
        digest = hash_file(Path(reference))
        return DataFile(name_of(connection, digest) or Path(reference).name, digest)
    rows = connection.execute(f"{_KNOWN} ORDER BY id").all()
    found = {row.data_hash: row.name for row in rows if _means(reference, row.name, row.data_hash)}
    if not found:
        raise UsageError(f"no data file is called {quoted(reference)}, neither on this disk nor in the registry")
    if len(found) > 1:
        several = listed(f"{format_hash(digest)} {name}" for digest, name in found.items())
        raise UsageError(f"{quoted(reference)} can mean {len(found)} data files: {several}")
    ((digest, name),) = found.items()
    return DataFile(name, digest)


def name_of(connection: Connection, digest: bytes) -> str | None:
    """The name under which something was first made on this content."""
    query = f"{_KNOWN} WHERE data_hash = :digest ORDER BY id LIMIT 1"
    row = connection.execute(query, {"digest": digest}).first()
    return None if row is None else str(row.name)


def _means(reference: str, name: str, digest: bytes) -> bool:
    if reference.startswith(HASH_PREFIX):
        return len(reference) > len(HASH_PREFIX) + 7 and format_hash(digest).startswith(reference.lower())
    return name == reference


def made_on(connection: Connection, digest: bytes) -> list[bytes]:
    """The models of which a step used the file, first recorded first."""
    query = f"SELECT model_hash FROM step {_ON_DATA} JOIN model ON model.id = step.child_id {_WHERE} ORDER BY step.id"
    return list(dict.fromkeys(connection.execute(query, {"digest": digest}).scalars()))


def reached(connection: Connection, digest: bytes, limit: int | None = None) -> list[bytes]:
    """The models that were made on the file, and everything that was made from those, nearest first."""
    hashes = "(SELECT model_hash FROM model WHERE model.id = reached.id) AS model_hash"
    query = f"{_REACHED} SELECT {hashes} FROM reached LIMIT :limit"
    bounds = {"digest": digest, "limit": EVERYTHING if limit is None else limit}
    return list(connection.execute(query, bounds).scalars())


def count_reached(connection: Connection, digest: bytes) -> int:
    return connection.execute(f"{_REACHED} SELECT count(*) FROM reached", {"digest": digest}).scalar_one()


def scored_on(connection: Connection, digest: bytes) -> list[bytes]:
    """The models that were evaluated on the file."""
    query = """
        SELECT model_hash FROM evaluation JOIN model ON model.id = model_id WHERE data_hash = :digest
        ORDER BY evaluation.id
    """
    return list(dict.fromkeys(connection.execute(query, {"digest": digest}).scalars()))
