"""Taking names away, and deleting what lineal made: never anything else."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from lineal.checkpoint.reader import is_lone_file
from lineal.errors import UsageError
from lineal.family.session import Session
from lineal.lineage.records.lineal_json import read_provenance, record_path
from lineal.lineage.records.records import Name


def deletable(session: Session, reference: str) -> tuple[Path, ...]:
    """Where the model of a name lies; refused if it has other names, or if lineal did not make what lies there."""
    registry = session.registry
    name = registry.name(reference)
    others = [str(other) for other in registry.names_of(name.model_hash) if str(other) != str(name)]
    if others:
        raise UsageError(f"{name}: its files are those of {', '.join(others)}, too; remove such names first")
    places = tuple(place for place in registry.locations(name.model_hash) if place.exists())
    for place in places:
        record = read_provenance(place)
        if record is None or record.hashes.manifest.model_hash != name.model_hash:
            raise UsageError(f"{place} was not made by lineal, or holds something else by now: delete it yourself")
    return places


def remove(session: Session, reference: str, places: Iterable[Path] = ()) -> Name:
    """Delete the model in these places, then take the name away: a kill in between leaves the name to repeat with."""
    name = session.registry.name(reference)
    for place in places:
        if is_lone_file(place):
            place.unlink()
            record_path(place).unlink(missing_ok=True)
        else:
            shutil.rmtree(place)
        _ = session.registry.forget(place)
    session.registry.remove_name(name)
    return name
