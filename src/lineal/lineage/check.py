"""Whether a registry holds together: its database, the hashes of its models and steps, its journal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from sqlalchemy import Connection, text

from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Step
from lineal.errors import DerivationError, LinealError, RegistryError
from lineal.lineage import data_taints, journal, licence_records, models, policies, steps
from lineal.lineage.dialect import damage
from lineal.lineage.registry import Registry
from lineal.lineage.store import batches

_SHOWN = 11


@final
@dataclass(frozen=True)
class Checked:
    """What was looked at, and everything wrong with it."""

    models: int
    steps: int
    entries: int
    faults: tuple[str, ...]


def check(registry: Registry) -> Checked:
    """Hash every manifest and every step again, and follow the journal from its beginning; no weights are read."""
    with registry.reading() as connection:
        found = [*damage(connection), *_models(connection), *_steps(connection), *journal.faults(connection)]
        found += [*licence_records.faults(connection), *policies.faults(connection), *data_taints.faults(connection)]
        count = {
            table: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
            for table in ("model", "step", "journal")
        }
        return Checked(count["model"], count["step"], count["journal"], tuple(found))


def _models(connection: Connection) -> Iterator[str]:
    query = "SELECT model_hash FROM model WHERE weights_hash IS NOT NULL"
    for digest in list(connection.execute(text(query)).scalars()):
        try:
            _ = models.manifest(connection, digest)
        except RegistryError as error:
            yield str(error)


def _steps(connection: Connection) -> Iterator[str]:
    recorded: dict[bytes, set[bytes]] = {}
    query = "SELECT model_hash, derivation_id FROM step JOIN model ON model.id = child_id"
    for child, derivation_id in connection.execute(text(query)):
        recorded.setdefault(child, set()).add(derivation_id)
    for batch in batches(recorded):
        try:
            made = steps.of_children(connection, batch)
        except (LinealError, ValueError) as error:
            yield f"steps: {error}"
            continue
        for child, records in made.items():
            found = {_derivation(record.step) for record in records}
            if found != recorded[child]:
                yield f"{format_hash(child)[:_SHOWN]}: a step that gave it does not give its derivation id"


def _derivation(step: Step) -> bytes:
    try:
        return step.derivation_id
    except DerivationError:
        return b""
