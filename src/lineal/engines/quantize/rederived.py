"""A GGUF encoded once more from the weights that it is said to come from, and compared with its bytes, block by block.

llama.cpp's bytes depend on whether its compiler fused multiplications and additions, and on the dtype of the GGUF that
it was given; so each combination is tried, and dropped for the whole file at the first block that differs. What a GGUF
as a parent has in the type of the file already was copied.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, final

import numpy as np

from lineal.checkpoint.codes.ggml.codecs import Encoding
from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.quantize.tally import SOURCES, STORED, Race, Rederived, Tally, Variant
from lineal.engines.stream.compound import Compound, Task
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.stream.source import Source

Encodings: TypeAlias = Mapping[str, Sequence[Encoding]]
"""How tensors with importances are encoded, by their names in the GGUF: one an expert, of a matrix alone one."""


def in_words(variants: Sequence[Variant]) -> str:
    """What is known of how the bytes were made, from the variants that give them all."""
    builds, sources = {one.fused for one in variants}, {one.source for one in variants}
    given = "" if STORED in sources else f"from {next(s for s in SOURCES if s in sources).lower()}, "
    if len(builds) > 1:
        return f"{given}whether multiplications and additions are fused or not"
    return f"{given}as GCC on x86-64 {'with' if True in builds else 'without'} FMA makes it"


def rederive(
    plan: StreamPlan,
    file: Checkpoint,
    encodings: Encodings,
    *,
    threads: int | None = None,
    bytes_done: Callable[[int], None] | None = None,
) -> tuple[tuple[Variant, ...], tuple[Rederived, ...]]:
    """The variants that make every tensor of the file, and what was found of each tensor, by name.

    plan: of a GGUF of the parent, whose tensors have the file's names and shapes; in which types does not matter.
    """
    race, worked_out = Race(), {task.planned.name for task in plan.jobs if isinstance(task, Job) and not task.models}
    with OpenFiles() as files:
        tallies = {
            name: Tally(spec, encodings.get(name, ()), race, files, worked_out=name in worked_out)
            for name, spec in file.items()
        }
        values = StreamPlan(tuple(_as_values(task, tallies) for task in plan.jobs), plan.child)
        stream(values.jobs, _Comparing(tallies), threads=threads, allow_nonfinite=True, bytes_done=bytes_done)
    return race.alive, tuple(tally.found() for _, tally in sorted(tallies.items()))


def _as_values(task: Task, tallies: Mapping[str, Tally]) -> Task:
    """The task for float32 values, in windows that divide no block and, with importances, no row; or a copy."""
    tally = tallies[task.planned.name]
    if isinstance(task, Job) and _is_copied(task, tally.dtype):
        return Job(replace(task.planned, dtype=tally.dtype), task.models)
    if isinstance(task, Compound):
        parts = tuple(_in_float32(part, tally) for part in task.parts)
        return replace(task, planned=replace(task.planned, dtype="F32"), parts=parts)
    assert isinstance(task, Job)  # nothing in a GGUF is packed
    return _in_float32(task, tally)


def _is_copied(job: Job, dtype: str) -> bool:
    """Whether its blocks are the parent's as they lie there: quantizing once more is never tried."""
    source = job.models[0] if job.models else None
    return isinstance(source, Source) and source.update is None and source.spec.dtype == dtype and dtype in BLOCKS


def _in_float32(job: Job, tally: Tally) -> Job:
    return replace(job, planned=replace(job.planned, dtype="F32"), unit=tally.unit)


@final
class _Comparing:
    """A sink that keeps nothing of what comes but how it compares."""

    def __init__(self, tallies: Mapping[str, Tally]) -> None:
        self._tallies = tallies
        self.leaves: dict[str, Leaf] = {}
        self.notes: dict[str, Json] = {}

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        tally = self._tallies[planned.name]
        if planned.dtype == "F32":
            tally.take(start // 4, np.frombuffer(raw, np.float32))
        else:
            tally.take_blocks(start, np.frombuffer(raw, np.uint8))

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        self.leaves[planned.name] = planned.leaf(data_hash)
        self.notes[planned.name] = note
