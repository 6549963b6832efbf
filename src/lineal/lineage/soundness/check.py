"""Whether a registry holds together: its database, the hashes of its models and steps, its signatures, its journal."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import final

from lineal.errors import LinealError, MissingExtra
from lineal.lineage.database import census, schema, seals
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.domains import IllFormedRow
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.registry import Registry
from lineal.lineage.signing import trust
from lineal.lineage.signing.keys import can_sign
from lineal.lineage.soundness import sound_models as manifests
from lineal.lineage.soundness import sound_steps
from lineal.lineage.stated import data_taints, policies
from lineal.lineage.tables import journal, signatures, taints

_COUNTED = ("model", "step", "journal", "signature")


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
    """Hold every row against what it may be, what it follows from and what was said of it; no weights are read."""
    with registry.reading() as connection:
        count = {table: _count(connection, table) for table in _COUNTED}
        unchecked = str(MissingExtra("checking signatures", "sign")) if count["signature"] and not can_sign() else None
        parts: dict[str, Callable[[Connection], Iterable[str]]] = {
            "database": lambda asked: asked.dialect.damage(asked),
            "migrations": schema.faults,
            "values": census.faults,
            "models": manifests.faults,
            "steps": sound_steps.faults,
            "signatures": signatures.faults if unchecked else trust.faults,
            "journal": journal.faults,
            "licences": licence_records.faults,
            "policies": policies.faults,
            "taints": taints.faults,
            "taints of data": data_taints.faults,
            "seals": seals.faults,
        }
        found = [fault for what, faults in parts.items() for fault in _faults(connection, what, faults)]
        return Checked(
            count["model"],
            count["step"],
            count["journal"],
            tuple(dict.fromkeys(found)),
            count["signature"],
            unchecked,
        )


def _faults(connection: Connection, what: str, faults: Callable[[Connection], Iterable[str]]) -> Iterator[str]:
    """What one look finds; that it could not look is a fault too, and the others look all the same."""
    found: list[str] = []
    try:
        with connection.begin_nested():
            found.extend(faults(connection))
    except connection.dialect.errors as error:
        found.append(f"{what}: {connection.dialect.explain(error)}")
    except (LinealError, IllFormedRow, ValueError) as error:
        found.append(f"{what}: {error}")
    return iter(found)


def _count(connection: Connection, table: str) -> int:
    try:
        with connection.begin_nested():
            return int(connection.execute(f"SELECT count(*) FROM {table}").scalar_one())
    except connection.dialect.errors:
        return 0  # and that it is missing is said of the database
