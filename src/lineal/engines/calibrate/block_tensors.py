"""The tensors of a finished block, as the child stores them."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from math import lcm
from typing import TypeAlias, final

import numpy as np

from lineal.engines.calibrate.found_codes import FoundPacking
from lineal.engines.calibrate.layer import Layer
from lineal.engines.quantize.rounded_packing import RoundedPacking
from lineal.engines.stream.compound import PartSink, Task, jobs_of
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Job, Sink
from lineal.engines.stream.notes import read_of
from lineal.engines.stream.outputs import Output, PackedOutput, PlainOutput
from lineal.engines.stream.packed import Packed
from lineal.engines.stream.reading import Rules
from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Rounded
from lineal.methods.quantize.rounding_error import GRANULE
from lineal.shown import quoted

_WINDOW = 1 << 20
"""Values that are written at once, and as many more as make whole rows."""

Made: TypeAlias = Callable[[int], Output]
"""What takes values, so many at once at the most."""


@final
@dataclass(frozen=True)
class BlockTensors:
    """Writes what a method made of a block through the tasks that the child's plan has for it.

    A tensor that the method left alone goes the way it goes without a walk: from the parent's bytes.
    """

    method: str
    layer: Layer
    tasks: Sequence[Task]
    sink: Sink
    threads: int | None = None
    written: set[str] = field(default_factory=set[str])

    def write_rounded(self, rounded: Rounded) -> None:
        """A weight as the codes that were found; what it was before is still in place in the layer."""
        task = next((task for task in self.tasks if task.planned.name == rounded.name), None)
        if not isinstance(task, Packed) or not isinstance(task.packing, RoundedPacking):
            raise MethodError(f"{self.method}: {quoted(rounded.name)} is rounded to codes, but stored as it is")
        if not (np.isfinite(rounded.values).all() and np.isfinite(rounded.scales).all()):
            raise MethodError(f"{self.method}: {quoted(rounded.name)} comes out as infinite or no number")
        found = Packed(task.job, FoundPacking(task.packing, rounded))
        self._feed(task.job, lambda _: PackedOutput(found, self.sink))
        self.written.add(rounded.name)

    def write_rest(self, changed: Collection[str]) -> None:
        """All that is not written yet."""
        left = [task for task in self.tasks if task.planned.name not in self.written]
        touched = [task for task in left if any(job.planned.name in changed for job in jobs_of(task))]
        for task in touched:
            self._write(task)
        _ = stream([task for task in left if task not in touched], self.sink, threads=self.threads)

    def _write(self, task: Task) -> None:
        if isinstance(task, Packed):
            self._feed(task.job, lambda _: PackedOutput(task, self.sink))
            return
        into: Sink = self.sink if isinstance(task, Job) else PartSink(self.sink, task)
        for job in jobs_of(task):
            self._feed(job, _plain(job, into))

    def _feed(self, job: Job, made: Made) -> None:
        """The layer's values of a weight, window after window."""
        name, unit = job.planned.name, lcm(job.unit, GRANULE)
        values: Float32 = self.layer.tensors[name].numpy().reshape(-1)
        step = max(1, _WINDOW // unit) * unit
        output = made(min(step, values.size))
        for _ in range(output.looks):
            for start in range(0, values.size, step):
                output.look(start, values[start : start + step])
        for start in range(0, values.size, step):
            output.take(start, values[start : start + step])
        output.finish(read_of(self.layer.notes[name]))


def _plain(job: Job, sink: Sink) -> Made:
    measured = replace(job, measured=job.measured and job.method is not None)
    return lambda count: PlainOutput(measured, sink, Rules(threading.Event()), count)
