"""What the journal keeps of a finished tensor for a run that resumes: what was read for it, and what rounding cost."""

from collections.abc import Mapping
from typing import Any, cast

from lineal.derivation.canonical import Json
from lineal.lineage.records.rounding import Rounding

_READ, _ROUNDING, _WEIGHT = "read", "rounding", "weight"


def note_of(read: list[Json], rounding: Rounding | None = None, weight: str | None = None) -> Json:
    """read: [file, tensor, data hash] of each; rounding: of a tensor that is measured; weight: where what is measured
    goes by another name than the tensor's."""
    if rounding is None:
        return read
    named: dict[str, Json] = {} if weight is None else {_WEIGHT: weight}
    return {_READ: read, _ROUNDING: rounding.to_json(), **named}


def read_of(note: Json) -> list[Any]:
    return cast(list[Any], note[_READ] if isinstance(note, Mapping) else note)


def rounding_of(note: Json) -> Rounding | None:
    return Rounding.from_json(note[_ROUNDING]) if isinstance(note, Mapping) else None


def measured_in(notes: Mapping[str, Json]) -> dict[str, Rounding]:
    """Notes by tensors -> what rounding cost, by weights."""
    found = {_weight(name, note): rounding_of(note) for name, note in notes.items()}
    return {name: one for name, one in found.items() if one is not None}


def _weight(tensor: str, note: Json) -> str:
    return str(note.get(_WEIGHT, tensor)) if isinstance(note, Mapping) else tensor
