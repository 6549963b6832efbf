"""What becomes of a tensor's values: bytes as they are stored, hashed and written in passing."""

from typing import Any, Protocol, final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import decode, encode
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.stream.jobs import Job, Sink
from lineal.engines.stream.notes import note_of
from lineal.engines.stream.packed import Packed, Pieces
from lineal.engines.stream.reading import Rules
from lineal.errors import CheckpointError
from lineal.lineage.records.rounding import Rounding
from lineal.methods.quantize.rounding_error import FIGURES, NONFINITE, add_rounding_error
from lineal.shown import quoted

Float32 = NDArray[np.float32]


class Output(Protocol):
    """Takes the values of one tensor in windows, in order."""

    @property
    def looks(self) -> int:
        """How many times it is shown all values before it takes any."""
        ...

    def look(self, start: int, values: Float32) -> None: ...

    def take(self, start: int, values: Float32) -> None:
        """Write values; start: the place of the first."""
        ...

    def finish(self, read: list[Json]) -> None:
        """All values were taken. read: [file, tensor, data hash] of what they came from."""
        ...


@final
class PlainOutput:
    """One tensor, in its dtype."""

    looks = 0

    def __init__(self, job: Job, sink: Sink, rules: Rules, count: int) -> None:
        """count: values that come at once, at the most."""
        self._job, self._sink, self._rules = job, sink, rules
        self._raw = np.empty(byte_length(job.planned.dtype, count), np.uint8)
        self._digest = blake3()
        self._figures = np.zeros(FIGURES)
        self._rounded = np.empty(count if job.measured else 0, np.float32)

    def look(self, start: int, values: Float32) -> None:
        pass

    def take(self, start: int, values: Float32) -> None:
        planned = self._job.planned
        raw = self._raw[: byte_length(planned.dtype, values.size)]
        if not encode(values, planned.dtype, raw, self._job.encoding):
            self._rules.refuse_nonfinite(values, planned.dtype, start, "the child", planned.name)
        self._digest.update(raw.data)
        self._sink.write(planned, byte_length(planned.dtype, start), raw.data)
        if self._rounded.size:
            rounded = self._rounded[: values.size]
            _ = decode(raw, planned.dtype, rounded)
            add_rounding_error(values, rounded, BLOCKS.get(planned.dtype, (1, 0))[0], self._figures)
            self._refuse_overflow()

    def finish(self, read: list[Json]) -> None:
        rounding = rounding_of_figures(self._figures) if self._rounded.size else None
        self._sink.finish(self._job.planned, self._digest.digest(), note_of(read, rounding))

    def _refuse_overflow(self) -> None:
        """Weights within the limits of their type may still become none: importances near float32's end overflow."""
        if self._rules.allow_nonfinite or not self._figures[NONFINITE]:
            return
        planned, encoding = self._job.planned, self._job.encoding
        cause = "its weights" if encoding.importance is None else "the importances of its columns"
        raise CheckpointError(
            f"the child: {quoted(planned.name)} comes out as infinite or no number (as {planned.dtype}): {cause} are "
            "too large to calculate with; allow it with --allow-nonfinite"
        )


@final
class PackedOutput:
    """Several tensors, each with a hash of its own."""

    def __init__(self, task: Packed, sink: Sink) -> None:
        self._task, self._sink = task, sink
        self._packer = task.packing.packer(task.planned)
        self._growing = {planned.name: _Growing(planned) for planned in task.tensors}
        self._figures = np.zeros(FIGURES) if task.job.measured else None

    @property
    def looks(self) -> int:
        return self._packer.looks

    def look(self, start: int, values: Float32) -> None:
        self._packer.look(values)

    def take(self, start: int, values: Float32) -> None:
        self._append(self._packer.pack(values, self._figures))

    def finish(self, read: list[Json]) -> None:
        """The note stands with the first tensor; a run that resumes makes all of them anew unless it has them all."""
        self._append(self._packer.end())
        weight = self._task.planned
        rounding = None if self._figures is None else rounding_of_figures(self._figures, weight.elements)
        whole = note_of(read, rounding, weight.name)
        for place, growing in enumerate(self._growing.values()):
            growing.finish(self._sink, note_of([]) if place else whole)

    def _append(self, pieces: Pieces) -> None:
        for name, piece in pieces.items():
            self._growing[name].append(self._sink, piece)


@final
class _Growing:
    """A tensor whose bytes come one after the other."""

    def __init__(self, planned: Planned) -> None:
        self._planned, self._length, self._digest = planned, 0, blake3()

    def append(self, sink: Sink, piece: NDArray[Any]) -> None:
        raw = np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data
        self._digest.update(raw)
        sink.write(self._planned, self._length, raw)
        self._length += len(raw)

    def finish(self, sink: Sink, note: Json) -> None:
        assert self._length == self._planned.byte_length
        sink.finish(self._planned, self._digest.digest(), note)


def rounding_of_figures(figures: NDArray[np.float64], weights: int = 0) -> Rounding:
    """weights: how many, where several tensors hold them."""
    sums, counts = figures[:3].tolist(), map(int, figures[3:])
    return Rounding(*sums, *counts, weights=weights)
