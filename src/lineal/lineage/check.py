"""Whether a registry holds together: its database, the hashes of its models and steps, its signatures, its journal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from sqlalchemy import Connection, text

from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Step
from lineal.errors import DerivationError, LinealError, MissingExtra, RegistryError
from lineal.lineage import data_taints, journal, models, policies, steps
from lineal.lineage.database.dialect import dialect_of
from lineal.lineage.database.store import batches
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.registry import Registry
from lineal.lineage.signing import signatures, trust
from lineal.lineage.signing.keys import can_sign

_SHOWN = 11


@final
@dataclass(frozen=True)
class Checked:
    """What was looked at, and everything wrong with it. signatures_unchecked: why no signature was verified."""

    models: int
    steps: int
    entries: int
    faults: tuple[str, ...]
    signatures: int
    signatures_unchecked: str | None = None


def check(registry: Registry) -> Checked:
    """Hash every manifest and every step again, and follow the journal from its beginning; no weights are read."""
    with registry.reading() as connection:
        count = {
            table: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
            for table in ("model", "step", "journal", "signature")
        }
        unchecked = str(MissingExtra("checking signatures", "sign")) if count["signature"] and not can_sign() else None
        found = (
            *dialect_of(connection).damage(connection),
            *_models(connection),
            *_steps(connection),
            *_signatures(connection, unchecked),
            *journal.faults(connection),
            *licence_records.faults(connection),
            *policies.faults(connection),
            *data_taints.faults(connection),
        )
        return Checked(count["model"], count["step"], count["journal"], found, count["signature"], unchecked)


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


def _signatures(connection: Connection, unchecked: str | None) -> Iterator[str]:
    for child in signatures.graded_without_one(connection):
        yield f"{format_hash(child)[:_SHOWN]}: a step that gave it is graded signed, but no signature of it is kept"
    if unchecked is None:
        yield from trust.faults(connection)


def _derivation(step: Step) -> bytes:
    try:
        return step.derivation_id
    except DerivationError:
        return b""
