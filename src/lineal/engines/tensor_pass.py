"""One tensor's way through the engine: sweeps over bounded windows, every byte read once a sweep and hashed once."""

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from lineal.checkpoint.adapter import LowRankUpdate
from lineal.checkpoint.dtypes import decode, encode, first_nonfinite
from lineal.checkpoint.reader import read_exactly
from lineal.checkpoint.safetensors_header import TensorSpec
from lineal.checkpoint.scaled import Scales, multiply
from lineal.checkpoint.storage import byte_length
from lineal.derivation.canonical import Json
from lineal.engines.jobs import Job, Sink
from lineal.engines.sources import Source
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import add_low_rank
from lineal.methods.quantize.rotary_pairs import halves
from lineal.methods.streaming import Block, Emit, StreamingMethod

WINDOW_ELEMENTS = 1 << 17
"""A multiple of the granule of reductions; with four models in float32 a window stays near the second-level cache."""


class Stopped(Exception):
    """Another thread failed, or the user interrupted."""


@final
class OpenFiles:
    """File descriptors that all threads share; reads name their offsets."""

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, buffer: memoryview, offset: int) -> None:
        with self._lock:
            if path not in self._descriptors:
                self._descriptors[path] = os.open(path, os.O_RDONLY)
        read_exactly(self._descriptors[path], buffer, offset, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)


@final
class TensorPass:
    """Derives one tensor, with a window of stored bytes for each distinct input and one of float32 for each model."""

    def __init__(
        self,
        job: Job,
        files: OpenFiles,
        sink: Sink,
        stop: threading.Event,
        allow_nonfinite: bool,
        bytes_done: Callable[[int], None] | None,
    ) -> None:
        self._job, self._files, self._sink, self._stop = job, files, sink, stop
        self._allow_nonfinite, self._bytes_done = allow_nonfinite, bytes_done
        self._hashes = {spec: blake3() for spec in job.specs}
        self._whole_hashes: dict[TensorSpec, bytes] = {}
        self._updates: dict[LowRankUpdate, tuple[Any, Any]] = {}
        self._numbers: dict[Scales, NDArray[np.float32]] = {}
        self._window = _window(job)
        self._count = min(self._window, job.planned.elements)
        self._raw = {spec: np.empty(byte_length(spec.dtype, self._count), np.uint8) for spec in job.specs}

    def run(self) -> None:
        digest = self._copy() if self._job.method is None else self._derive(self._job.method)
        self._sink.finish(self._job.planned, digest, self._note())

    def _derive(self, method: StreamingMethod) -> bytes:
        planned, models, base = self._job.planned, self._job.models, self._job.base
        for source in (*models, *([base] if base else ())):
            self._load_beside(source)
        rows = np.empty((len(models), self._count), np.float32)
        base_row = np.empty(self._count if base else 0, np.float32)
        out = np.empty(self._count, np.float32)
        encoded = np.empty(byte_length(planned.dtype, self._count), np.uint8)
        digest = blake3()
        first = True
        for sweep in method.sweeps(self._job.site):
            for start in range(0, planned.elements, self._window):
                n = min(self._window, planned.elements - start)
                self._read(start, n, first)
                block = Block(start, base_row[:n], _columns(rows, n), out[:n])
                for row, source in (*zip(block.models, models, strict=True), *([(block.base, base)] if base else ())):
                    self._decode(source, row, start, first)
                sweep.over(block)
                if isinstance(sweep, Emit):
                    self._emit(block, encoded[: byte_length(planned.dtype, n)], digest)
            first = False
        return digest.digest()

    def _emit(self, block: Block, raw: NDArray[np.uint8], digest: blake3) -> None:
        planned = self._job.planned
        finite = encode(block.out, planned.dtype, raw)
        if not finite and not self._allow_nonfinite:
            _refuse_nonfinite(block.out, planned.dtype, block.start, "the child", planned.name)
        digest.update(raw.data)
        self._sink.write(planned, byte_length(planned.dtype, block.start), raw.data)

    def _copy(self) -> bytes:
        """Tensors that are not numbers to compute with (masks, ids): copied, and every parent must agree."""
        planned, specs = self._job.planned, self._job.specs
        for start in range(0, planned.elements, self._window):
            n = min(self._window, planned.elements - start)
            self._read(start, n, True)
            raw = self._raw[specs[0]][: byte_length(planned.dtype, n)]
            self._sink.write(planned, byte_length(planned.dtype, start), raw.data)
        digests = {spec: hasher.digest() for spec, hasher in self._hashes.items()}
        for spec, digest in digests.items():
            if digest != digests[specs[0]]:
                raise CheckpointError(
                    f"{spec.path}: {spec.name!r} ({spec.dtype}) differs from the one in {specs[0].path}"
                )
        return digests[specs[0]]

    def _read(self, start: int, n: int, first: bool) -> None:
        if self._stop.is_set():
            raise Stopped
        for spec, buffer in self._raw.items():
            window = buffer.data[: byte_length(spec.dtype, n)]
            self._files.read(spec.path, window, spec.offset + byte_length(spec.dtype, start))
            if first:
                self._hashes[spec].update(window)
            if self._bytes_done:
                self._bytes_done(len(window))

    def _decode(self, source: Source, row: NDArray[np.float32], start: int, first: bool) -> None:
        spec = source.spec
        finite = decode(self._raw[spec][: byte_length(spec.dtype, row.size)], spec.dtype, row)
        if first and not finite and not self._allow_nonfinite:
            _refuse_nonfinite(row, "F32", start, source.model, spec.name)
        if source.scales is not None:
            multiply(row, start, source.shape[-1], source.scales, self._numbers[source.scales])
        if source.head_rows is not None:
            turned = halves(row.reshape(-1, *source.shape[1:]), source.head_rows)
            np.copyto(row, turned.reshape(-1))
        if source.update:
            b, a = self._updates[source.update]
            add_low_rank(row, start, b, a)

    def _load_beside(self, source: Source) -> None:
        """Read scales, and an adapter's two matrices, whole: they are small, and every stretch needs them."""
        scales = source.scales
        if scales is not None and scales not in self._numbers:
            self._numbers[scales] = self._read_whole(scales.spec, source).reshape(-1)
        update = source.update
        if update is None or update in self._updates:
            return
        a, b = self._read_whole(update.a, source), self._read_whole(update.b, source)
        self._updates[update] = (np.float32(update.scale) * b, a)

    def _read_whole(self, spec: TensorSpec, source: Source) -> NDArray[np.float32]:
        raw = np.empty(spec.byte_length, np.uint8)
        self._files.read(spec.path, raw.data, spec.offset)
        self._whole_hashes[spec] = blake3(raw.data).digest()
        values = np.empty(spec.elements, np.float32)
        decode(raw, spec.dtype, values)
        if not self._allow_nonfinite:
            _refuse_nonfinite(values, "F32", 0, source.model, spec.name)
        return values.reshape(spec.shape)

    def _note(self) -> Json:
        """The inputs' data hashes, for the journal: a resumed run need not read them again."""
        digests = {**self._whole_hashes, **{spec: hasher.digest() for spec, hasher in self._hashes.items()}}
        return [[str(spec.path), spec.name, digest.hex()] for spec, digest in digests.items()]


def working_bytes(job: Job) -> int:
    """What a pass holds at once: windows of stored and of decoded values, scales, an adapter's matrices."""
    count = min(_window(job), job.planned.elements)
    raw = sum(byte_length(spec.dtype, count) for spec in job.specs)
    if job.method is None:
        return raw
    sources = (*job.models, *([job.base] if job.base else ()))
    decoded = 4 * count * (len(sources) + 1)
    beside = sum(4 * (s.update.a.elements + s.update.b.elements) for s in sources if s.update)
    beside += sum(4 * s.scales.spec.elements for s in sources if s.scales)
    return raw + decoded + byte_length(job.planned.dtype, count) + beside


def _window(job: Job) -> int:
    """Elements read at once: as many whole units of the method and of its inputs as fit, at least one."""
    sources = (*job.models, *([job.base] if job.base else ()))
    unit = math.lcm(job.method.unit(job.site) if job.method else 1, *(max(1, source.unit) for source in sources))
    return max(1, WINDOW_ELEMENTS // unit) * unit


def _refuse_nonfinite(values: NDArray[np.float32], dtype: str, start: int, whose: str, name: str) -> None:
    index = first_nonfinite(values, dtype)
    if index >= 0:
        place = f"element {start + index} of {name!r}"
        raise CheckpointError(f"{whose}: {values[index]} at {place} (as {dtype}); allow it with --allow-nonfinite")


def _columns(rows: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """The first n columns as one contiguous block: kernels are compiled for contiguous rows."""
    return rows if n == rows.shape[1] else rows.reshape(-1)[: len(rows) * n].reshape(len(rows), n)
