"""The tensors of a finished block, as the child stores them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from blake3 import blake3

from lineal.checkpoint.codes.dtypes import encode, first_nonfinite
from lineal.checkpoint.headers.storage import byte_length
from lineal.derivation.canonical import Json
from lineal.engines.calibrate.layer import Layer
from lineal.engines.stream.compound import PartSink, Task, jobs_of
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Job, Sink
from lineal.engines.stream.notes import note_of, read_of
from lineal.errors import CheckpointError
from lineal.methods.arrays import Float32
from lineal.shown import quoted


@final
@dataclass
class BlockTensors:
    """Writes what a method made of a block through the tasks that the child's plan has for it.

    A tensor that the method left alone goes the way it goes without a walk: from the parent's bytes.
    """

    layer: Layer
    tasks: Sequence[Task]
    sink: Sink
    threads: int | None = None
    written: set[str] = field(default_factory=set[str])

    def write_rest(self, changed: set[str]) -> None:
        """All that is not written yet."""
        left = [task for task in self.tasks if task.planned.name not in self.written]
        touched = [task for task in left if any(job.planned.name in changed for job in jobs_of(task))]
        for task in touched:
            self._write(task)
        _ = stream([task for task in left if task not in touched], self.sink, threads=self.threads)

    def _write(self, task: Task) -> None:
        into: Sink = self.sink if isinstance(task, Job) else PartSink(self.sink, task)
        for job in jobs_of(task):
            values = self.layer.tensors[job.planned.name].numpy()
            self._write_part(into, job, values, read_of(self.layer.notes[job.planned.name]))
        self.written.add(task.planned.name)

    def _write_part(self, into: Sink, job: Job, values: Float32, read: list[Json]) -> None:
        planned = job.planned
        raw = np.empty(byte_length(planned.dtype, planned.elements), np.uint8)
        flat = values.reshape(-1)
        if not encode(flat, planned.dtype, raw, job.encoding) and (place := first_nonfinite(flat, planned.dtype)) >= 0:
            raise CheckpointError(
                f"the child: {flat[place]} at element {place} of {quoted(planned.name)} (as {planned.dtype})"
            )
        into.write(planned, 0, raw.data)
        into.finish(planned, blake3(raw.data).digest(), note_of(read))
