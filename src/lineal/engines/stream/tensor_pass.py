"""One tensor's way through the engine: sweeps over bounded windows, every byte read once a sweep and hashed once."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.layouts.turn import raw_elements
from lineal.derivation.canonical import Json
from lineal.engines.stream.compound import Compound, PartSink, Task, jobs_of
from lineal.engines.stream.gathered import Gathered, Input, stored
from lineal.engines.stream.jobs import Job, Sink
from lineal.engines.stream.notes import note_of
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.outputs import Output, PackedOutput, PlainOutput
from lineal.engines.stream.packed import Packed
from lineal.engines.stream.reading import Reading, Rules
from lineal.engines.stream.row_reading import RowReading
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.methods.quantize.rounding_error import GRANULE
from lineal.methods.streaming import Block, Emit, Sample, StreamingMethod
from lineal.shown import quoted

WINDOW_ELEMENTS = 1 << 17
"""A multiple of the granule of reductions; with four models in float32 a window stays near the second-level cache."""

_SAMPLES, _SAMPLE_ELEMENTS = 16, 2048
"""Stretches that a sample is made of, and the least length of each."""

_NONE = np.empty(0, np.uint8)


class _Streamed(NamedTuple):
    """A stored tensor that is read window by window, room for a window, and the hash of all of them."""

    spec: TensorSpec
    raw: NDArray[np.uint8]
    hasher: blake3


@final
class TensorPass:
    """Derives one tensor, with a window of stored bytes for each distinct input and one of float32 for each model."""

    def __init__(self, job: Job, files: OpenFiles, sink: Sink, rules: Rules, packed: Packed | None = None) -> None:
        """packed: where what the job makes is stored as several tensors."""
        self._job, self._sink, self._rules = job, sink, rules
        self._reading = Reading(files, rules, _at_most((packed or job).bytes_read, rules.bytes_done))
        self._rows = {gathered: RowReading(gathered, self._reading) for gathered in job.gathered}
        self._window = _window(job)
        self._count = min(self._window, job.planned.elements)
        self._streamed = [
            _Streamed(spec, np.empty(byte_length(spec.dtype, self._count), np.uint8), blake3()) for spec in job.specs
        ]
        self._raw = {streamed.spec: streamed.raw for streamed in self._streamed}
        self._packed = packed

    def run(self) -> None:
        if self._job.method is None:
            digest = self._copy()
            self._sink.finish(self._job.planned, digest, note_of(self._read_hashes()))
        else:
            output = self._output()
            self._derive(self._job.method, output)
            output.finish(self._read_hashes())

    def _output(self) -> Output:
        if self._packed is not None:
            return PackedOutput(self._packed, self._sink)
        return PlainOutput(self._job, self._sink, self._rules, self._count)

    def _derive(self, method: StreamingMethod, output: Output) -> None:
        self._load_beside()
        models, base, site = self._job.models, self._job.base, self._job.site
        rows = np.empty((len(models), self._count), np.float32)
        base_row = np.empty(self._count if base else 0, np.float32)
        out = np.empty(self._count, np.float32)
        first = True
        takers = (*[output.look] * output.looks, output.take)
        for taker, sweep in ((taker, sweep) for taker in takers for sweep in method.sweeps(site)):
            sampled = isinstance(sweep, Sample)
            for start, n in self._samples() if sampled else self._windows():
                self._read(start, n, hashed=first and not sampled)
                block = Block(start, base_row[:n], _columns(rows, n), out[:n])
                for row, source in (*zip(block.models, models, strict=True), *([(block.base, base)] if base else ())):
                    self._fill(source, row, start, first)
                if isinstance(sweep, Emit) and sweep.keeps:
                    taker(start, block.models[0])
                    continue
                sweep.over(block)
                if isinstance(sweep, Emit):
                    taker(start, block.out)
            first = first and sampled

    def _load_beside(self) -> None:
        for source in self._job.inputs:
            for one in stored(source):
                self._reading.load_beside(one)
        if self._rows:
            for spec in self._job.gathered_specs:
                self._reading.hash_whole(spec)

    def _windows(self) -> Iterator[tuple[int, int]]:
        """Start and length of all."""
        elements = self._job.planned.elements
        return ((start, min(self._window, elements - start)) for start in range(0, elements, self._window))

    def _samples(self) -> Iterator[tuple[int, int]]:
        """Of a few short stretches, from the beginning to the end."""
        elements, unit = self._job.planned.elements, _unit(self._job)
        length = min(self._count, -(-_SAMPLE_ELEMENTS // unit) * unit)
        apart = max(length, elements // _SAMPLES) // unit * unit
        return ((start, length) for start in range(0, elements - length + 1, apart))

    def _copy(self) -> bytes:
        """Tensors that are not numbers to compute with (masks, ids): copied, and every parent must agree."""
        planned, first = self._job.planned, self._streamed[0].spec
        turns = {source.spec: source.turn for source in self._job.inputs if isinstance(source, Source) and source.turn}
        digests = {spec: blake3() if spec in turns else hasher for spec, _, hasher in self._streamed}
        for start, n in self._windows():
            self._read(start, n, hashed=True)
            for spec in (first, *(turns.keys() - {first})):
                raw = self._raw[spec][: byte_length(planned.dtype, n)]
                if spec in turns:
                    raw = turns[spec].turned(raw_elements(raw, byte_length(planned.dtype, 1))).view(np.uint8)
                    digests[spec].update(raw.data)
                if spec is first:
                    self._sink.write(planned, byte_length(planned.dtype, start), raw.data)
        digest = digests[first].digest()
        for spec, other in digests.items():
            if other.digest() != digest:
                raise CheckpointError(
                    f"{spec.path}: {quoted(spec.name)} ({spec.dtype}) differs from the one in {first.path}"
                )
        return digest

    def _read(self, start: int, n: int, *, hashed: bool) -> None:
        for spec, buffer, hasher in self._streamed:
            window = buffer.data[: byte_length(spec.dtype, n)]
            self._reading.stored(spec, start, window)
            if hashed:
                hasher.update(window)

    def _fill(self, source: Input, row: NDArray[np.float32], start: int, first: bool) -> None:
        if isinstance(source, Gathered):
            self._rows[source].fill(row, start, first=first)
        else:
            raw = self._raw[source.spec][: byte_length(source.spec.dtype, row.size)] if source.is_streamed else _NONE
            self._reading.values(source, raw, start, row, first=first)

    def _read_hashes(self) -> list[Json]:
        """The inputs' data hashes, for the journal: a resumed run need not read them again."""
        streamed = {spec: hasher.digest() for spec, _, hasher in self._streamed}
        digests = {**self._reading.whole_hashes, **streamed}
        return [[str(spec.path), spec.name, digest.hex()] for spec, digest in digests.items()]


def passes(task: Task, files: OpenFiles, sink: Sink, rules: Rules) -> Iterator[TensorPass]:
    """What a task is made by, one after the other."""
    match task:
        case Job():
            yield TensorPass(task, files, sink, rules)
        case Compound():
            into = PartSink(sink, task)
            for part in task.parts:
                yield TensorPass(part, files, into, rules)
        case Packed():
            yield TensorPass(task.job, files, sink, rules, task)


def _at_most(total: int, bytes_done: Callable[[int], None] | None) -> Callable[[int], None] | None:
    """A sample, and sweeps after one that misled, were not planned: of them nothing is told."""
    if bytes_done is None:
        return None
    left = total

    def told(count: int) -> None:
        nonlocal left
        planned = min(count, left)
        left -= planned
        bytes_done(planned)

    return told


def working_bytes(task: Task) -> int:
    """What the passes of a task hold at once, at the most."""
    held = max(map(_held, jobs_of(task)))
    if not isinstance(task, Packed):
        return held
    return held + task.packing.working_bytes(task.planned, min(_window(task.job), task.planned.elements))


def _held(job: Job) -> int:
    """Windows of stored and of decoded values, scales, an adapter's matrices."""
    count = min(_window(job), job.planned.elements)
    raw = sum(byte_length(spec.dtype, count) for spec in job.specs)
    if job.method is None:
        return raw
    beside = [source for read in job.inputs for source in stored(read)]
    updates = [source.update for source in beside if source.update]
    matrices = sum(4 * (1 if one.part is None else 2) * (one.a.elements + one.b.elements) for one in updates)
    coded = sum(codes.working_bytes for codes in {one.codes for one in beside if one.codes})
    picked = 8 * count if job.gathered else 0
    decoded = 4 * count * (len(job.inputs) + (2 if job.measured else 1))
    return raw + decoded + picked + byte_length(job.planned.dtype, count) + matrices + coded


def _window(job: Job) -> int:
    """Elements read at once: as many whole units of the method and of its inputs as fit, at least one."""
    unit = _unit(job)
    return max(1, WINDOW_ELEMENTS // unit) * unit


def _unit(job: Job) -> int:
    of_method = job.method.unit(job.site) if job.method else 1
    row = 1 if job.encoding.importance is None else job.site.columns
    granule = GRANULE if _is_measured(job) else 1
    return math.lcm(job.unit, row, granule, of_method, *(max(1, source.unit) for source in job.inputs))


def _is_measured(job: Job) -> bool:
    """Nothing is rounded where a tensor is copied."""
    return job.measured and job.method is not None


def _columns(rows: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """The first n columns as one contiguous block: kernels are compiled for contiguous rows."""
    return rows if n == rows.shape[1] else rows.reshape(-1)[: len(rows) * n].reshape(len(rows), n)
