"""The effective licence of a model that the registry knows: joined over all it was made from, and their data."""

from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import IllFormedRow
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.licensing.graph import Judgement, Licensed, LicensedData, judge
from lineal.lineage.registry import Registry
from lineal.lineage.tables import edges, models, references, steps


def judgement(registry: Registry, model: bytes) -> Judgement:
    """Who contributes which licence to a model, by which way, and what of that cannot be kept together."""
    with registry.reading() as connection:
        return of_model(connection, model)


def of_model(connection: Connection, model: bytes) -> Judgement:
    return judge(model, licensed(connection, model).__getitem__)


def licensed(connection: Connection, model: bytes) -> dict[bytes, Licensed[bytes]]:
    """A model and everything it goes back to, each with what is stated of it and of its data."""
    known = [model, *edges.reachable(connection, models.key(connection, model), edges.UP)]
    made = steps.of_children(connection, known)
    labels = references.labels(connection, known)
    stated = licence_records.of_models(connection, known)
    data = {file.data_hash for records in made.values() for record in records for file in record.step.data}
    of_data = licence_records.of_data(connection, data)
    found: dict[bytes, Licensed[bytes]] = {}
    for digest in known:
        done = [record.step for record in made.get(digest, ()) if not record.reproduces]
        inputs = dict.fromkeys(used.model_hash for step in done for used in step.inputs)
        if not inputs.keys() <= labels.keys():
            raise IllFormedRow(f"a step that gave {labels[digest]} has an input that no edge leads to")
        files = dict.fromkeys(file for step in done for file in step.data)
        used = tuple(LicensedData(file.data_hash, file.name, of_data.get(file.data_hash)) for file in files)
        found[digest] = Licensed(labels[digest], stated.get(digest), tuple(inputs), used)
    return found
