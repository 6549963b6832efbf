"""A tensor of the child that several jobs make, one after the other, or whose elements are stored in another order."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from blake3 import blake3

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.layouts.turn import Turn, raw_elements
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.stream.jobs import Job, Sink
from lineal.engines.stream.notes import note_of, read_of, rounding_of
from lineal.engines.stream.packed import Packed
from lineal.lineage.records.rounding import Rounding, combined

OF_CHILD = ""
"""In place of a file, in notes of what was read: the data hashes of parts of the child."""


@final
@dataclass(frozen=True)
class Compound:
    """planned: what is stored; parts: the jobs whose elements follow each other in it; turn: of its only part, from
    the order in which that is made."""

    planned: Planned
    parts: tuple[Job, ...]
    turn: Turn | None = None

    @property
    def bytes_read(self) -> int:
        return sum(part.bytes_read for part in self.parts)


Task: TypeAlias = Job | Compound | Packed
"""What makes one tensor of the child, or of a packed weight all that is stored of it."""


def jobs_of(task: Task) -> tuple[Job, ...]:
    match task:
        case Job():
            return (task,)
        case Compound():
            return task.parts
        case Packed():
            return (task.job,)


def tensors_of(task: Task) -> tuple[Planned, ...]:
    """What is stored of a task."""
    return task.tensors if isinstance(task, Packed) else (task.planned,)


@final
@dataclass
class PartSink:
    """Takes the parts of a tensor in their order, and gives them to a sink as what is stored."""

    sink: Sink
    compound: Compound
    leaves: dict[str, Leaf] = field(default_factory=dict[str, Leaf])
    notes: dict[str, Json] = field(default_factory=dict[str, Json])

    def __post_init__(self) -> None:
        self._offset, self._digest, self._read, self._roundings = 0, blake3(), list[Any](), list[Rounding]()

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        """Take bytes of a part, whole units of what is turned."""
        turn = self.compound.turn
        if turn is not None:
            raw = turn.turned(raw_elements(raw, byte_length(planned.dtype, 1))).view("u1").data
        self._digest.update(raw)
        self.sink.write(self.compound.planned, self._offset + start, raw)

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        """A part is written; after the last, the whole is."""
        self._offset += planned.byte_length
        self._read += [*read_of(note), [OF_CHILD, planned.name, data_hash.hex()]]
        rounding = rounding_of(note)
        if rounding is not None:
            self._roundings.append(rounding)
        if planned.name == self.compound.parts[-1].planned.name:
            whole = combined(self._roundings) if self._roundings else None
            self.sink.finish(self.compound.planned, self._digest.digest(), note_of(self._read, whole))
