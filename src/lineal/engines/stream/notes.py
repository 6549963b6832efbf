"""What the journal keeps of a finished tensor for a run that resumes: what was read for it, and what rounding cost."""

from collections.abc import Mapping
from typing import Any, cast

from lineal.derivation.canonical import Json
from lineal.lineage.records.rounding import Rounding

_READ, _ROUNDING = "read", "rounding"


def note_of(read: list[Json], rounding: Rounding | None = None) -> Json:
    """read: [file, tensor, data hash] of each; rounding: of a tensor that is measured."""
    return read if rounding is None else {_READ: read, _ROUNDING: rounding.to_json()}


def read_of(note: Json) -> list[Any]:
    return cast(list[Any], note[_READ] if isinstance(note, Mapping) else note)


def rounding_of(note: Json) -> Rounding | None:
    return Rounding.from_json(note[_ROUNDING]) if isinstance(note, Mapping) else None
