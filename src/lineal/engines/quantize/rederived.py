"""A GGUF encoded once more from the weights that it is said to come from, and compared with its bytes, block by block.

llama.cpp's bytes depend on whether its compiler fused multiplications and additions, and on the dtype of the GGUF that
it was given; so each combination is tried, and dropped for the whole file at the first block that differs.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import FLOATS, decode, encode
from lineal.checkpoint.codes.ggml.codecs import BLOCK_CODECS, PLAIN, Encoding
from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.checkpoint.reader import Checkpoint
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.stream.compound import Task
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.plan import StreamPlan

Float32: TypeAlias = NDArray[np.float32]
Encodings: TypeAlias = Mapping[str, Sequence[Encoding]]
"""How tensors with importances are encoded, by their names in the GGUF: one an expert, of a matrix alone one."""

STORED = "as stored"
SOURCES = (STORED, "F16", "BF16")
"""What the weights were rounded to before they were quantized: llama.cpp quantizes a GGUF that a converter wrote."""


@final
@dataclass(frozen=True)
class Variant:
    """One way in which llama.cpp makes the bytes. fused: its compiler fused multiplications and additions."""

    source: str
    fused: bool


_ENCODED = FLOATS | BLOCK_CODECS
VARIANTS = tuple(Variant(source, fused) for fused, source in product((False, True), SOURCES))


def in_words(variants: Sequence[Variant]) -> str:
    """What is known of how the bytes were made, from the variants that give them all."""
    builds, sources = {one.fused for one in variants}, {one.source for one in variants}
    given = "" if STORED in sources else f"from {next(s for s in SOURCES if s in sources).lower()}, "
    if len(builds) > 1:
        return f"{given}whether multiplications and additions are fused or not"
    return f"{given}as GCC on x86-64 {'with' if True in builds else 'without'} FMA makes it"


@final
@dataclass(frozen=True)
class Rederived:
    """One tensor of the file beside what was made of the parent's. blocks: single values, where it is not quantized.

    equal: blocks, of the variant that comes nearest; error, expected: squared error of the file's values and of those
    made here, over the squares of the parent's; is_made: whether there is an encoder of this type here.
    """

    name: str
    dtype: str
    blocks: int
    equal: int
    error: float
    expected: float
    is_made: bool

    @property
    def agrees(self) -> bool:
        return self.equal == self.blocks

    @property
    def share(self) -> float:
        return self.equal / max(1, self.blocks)


@final
@dataclass
class _Race:
    """The variants that every block so far agrees with."""

    alive: tuple[Variant, ...] = VARIANTS
    lock: threading.Lock = field(default_factory=threading.Lock)

    def drop(self, lost: set[Variant]) -> None:
        with self.lock:
            self.alive = tuple(variant for variant in self.alive if variant not in lost)


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
    race = _Race()
    with OpenFiles() as files:
        tallies = {name: _Tally(spec, encodings.get(name, ()), race, files) for name, spec in file.items()}
        values = StreamPlan(tuple(_as_values(task, tallies) for task in plan.jobs), plan.child)
        stream(values.jobs, _Comparing(tallies), threads=threads, allow_nonfinite=True, bytes_done=bytes_done)
    return race.alive, tuple(tally.found() for _, tally in sorted(tallies.items()))


def _as_values(task: Task, tallies: "Mapping[str, _Tally]") -> Task:
    """The task with float32 for its result, in windows that divide no block and, with importances, no row."""
    tally = tallies[task.planned.name]
    if not isinstance(task, Job):
        parts = tuple(_in_float32(part, tally) for part in task.parts)
        return replace(task, planned=replace(task.planned, dtype="F32"), parts=parts)
    return _in_float32(task, tally)


def _in_float32(job: Job, tally: "_Tally") -> Job:
    return replace(job, planned=replace(job.planned, dtype="F32"), unit=tally.unit)


@final
class _Comparing:
    """A sink that keeps nothing of what comes but how it compares."""

    def __init__(self, tallies: "Mapping[str, _Tally]") -> None:
        self._tallies = tallies
        self.leaves: dict[str, Leaf] = {}
        self.notes: dict[str, Json] = {}

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        self._tallies[planned.name].take(start // 4, np.frombuffer(raw, np.float32))

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        self.leaves[planned.name] = planned.leaf(data_hash)
        self.notes[planned.name] = note


@final
class _Tally:
    """How many blocks of one tensor each variant makes; a variant that has lost and is behind is tried no more."""

    def __init__(self, spec: TensorSpec, weighted: Sequence[Encoding], race: _Race, files: OpenFiles) -> None:
        self._spec, self._weighted, self._race, self._files = spec, weighted, race, files
        self._equal = dict.fromkeys(VARIANTS, 0)
        self._block = BLOCKS.get(spec.dtype, (1, 0))[0]
        self._squares, self._error, self._expected = 0.0, 0.0, 0.0

    @property
    def unit(self) -> int:
        return self._spec.shape[-1] if self._weighted else self._block

    def take(self, first: int, values: Float32) -> None:
        """Values of the parent, from the element `first` on."""
        theirs = np.empty(byte_length(self._spec.dtype, values.size), np.uint8)
        self._files.read(self._spec.path, theirs.data, self._spec.offset + byte_length(self._spec.dtype, first))
        if self._spec.dtype not in _ENCODED:
            self._race.drop(set(VARIANTS))
            self._measure(values, theirs, None)
            return
        made: dict[tuple[bool, str], NDArray[np.uint8]] = {}
        rounded = {source: _rounded(values, self._spec, source) for source in SOURCES}
        best = max(self._equal.values())
        running = [v for v in VARIANTS if v in self._race.alive or self._equal[v] == best]
        lost = set[Variant]()
        for variant in running:
            given = rounded[variant.source]
            key = variant.fused, STORED if given is values else variant.source
            if key not in made:
                made[key] = self._encoded(first, given, fused=variant.fused)
            agree = self._agreeing(made[key], theirs)
            self._equal[variant] += agree
            if agree < values.size // self._block:
                lost.add(variant)
        self._race.drop(lost)
        self._measure(values, theirs, next(iter(made.values())))

    def _encoded(self, first: int, values: Float32, *, fused: bool) -> NDArray[np.uint8]:
        raw = np.empty(byte_length(self._spec.dtype, values.size), np.uint8)
        encoding = PLAIN
        if self._weighted:
            encoding = self._weighted[first // (self._spec.elements // len(self._weighted))]
        encode(np.ascontiguousarray(values), self._spec.dtype, raw, replace(encoding, fused=fused))
        return raw

    def _agreeing(self, ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> int:
        size = byte_length(self._spec.dtype, self._block)
        return int((ours.reshape(-1, size) == theirs.reshape(-1, size)).all(axis=1).sum())

    def _measure(self, values: Float32, theirs: NDArray[np.uint8], ours: NDArray[np.uint8] | None) -> None:
        out = np.empty(values.size, np.float32)
        exact = values.astype(np.float64)
        self._squares += float(np.vdot(exact, exact))
        decode(theirs, self._spec.dtype, out)
        self._error += float(np.sum((out - exact) ** 2))
        if ours is None:
            return
        decode(ours, self._spec.dtype, out)
        self._expected += float(np.sum((out - exact) ** 2))

    def found(self) -> Rederived:
        equal, spec, squares = max(self._equal.values()), self._spec, self._squares or 1.0
        blocks = spec.elements // self._block
        return Rederived(
            spec.name,
            spec.dtype,
            blocks,
            equal,
            self._error / squares,
            self._expected / squares,
            spec.dtype in _ENCODED,
        )


def _rounded(values: Float32, spec: TensorSpec, source: str) -> Float32:
    """The values as the converter's file has them; the same array where rounding changes nothing.

    Converters keep vectors, and what is float32 in the end, in float32.
    """
    if source == STORED or spec.dtype == "F32":
        return values
    raw, out = np.empty(2 * values.size, np.uint8), np.empty(values.size, np.float32)
    encode(values, source, raw)
    decode(raw, source, out)
    return values if np.array_equal(values, out) else out
