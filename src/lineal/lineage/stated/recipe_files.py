"""Family files and mergekit recipes by their content: which models were built from which."""

from dataclasses import dataclass
from typing import final

from lineal.lineage.database.connection import Connection
from lineal.lineage.database.seals import sealed
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models


@final
@dataclass(frozen=True)
class RecipeFile:
    """A recipe as it was read: the file's name without any folder, and the BLAKE3 of its bytes."""

    name: str
    content_hash: bytes


def keep(registry: Registry, model: bytes, file: RecipeFile) -> None:
    """Remember that this file asked for a model, and got it."""
    statement = """
        INSERT INTO recipe_file (model_id, content_hash, name) VALUES (:model_id, :content_hash, :name)
        ON CONFLICT (model_id, content_hash) DO NOTHING
    """
    with registry.reading() as connection:
        if file in of_model(connection, model):
            return  # and nobody who writes is waited for
    with registry.writing() as connection, sealed(connection, ["recipe_file"], [model]):
        row = {"model_id": models.key(connection, model), "content_hash": file.content_hash, "name": file.name}
        _ = connection.execute(statement, row)


def of_model(connection: Connection, model: bytes) -> tuple[RecipeFile, ...]:
    """The files that asked for a model, by name."""
    query = "SELECT name, content_hash FROM recipe_file WHERE model_id = :model_id ORDER BY name, content_hash"
    rows = connection.execute(query, {"model_id": models.key(connection, model)})
    return tuple(RecipeFile(*row) for row in rows)


def built_from(connection: Connection, content_hash: bytes) -> list[bytes]:
    """The models that a file of this content asked for, first known first."""
    query = """
        SELECT model_hash FROM recipe_file JOIN model ON model.id = model_id WHERE content_hash = :content_hash
        ORDER BY model.id
    """
    return list(connection.execute(query, {"content_hash": content_hash}).scalars())
