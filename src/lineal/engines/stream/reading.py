"""What one tensor is made from, as float32: stored bytes are read in bounded stretches, and hashed once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from lineal.checkpoint.adapter.adapter import LowRankUpdate
from lineal.checkpoint.codes.dtypes import FLOATS, decode, first_nonfinite
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.quantized.beside import beside_values
from lineal.checkpoint.quantized.coded import Beside, Coded, Decoder
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.shared_matrices import Matrix, SharedMatrices
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import add_low_rank
from lineal.shown import quoted

_WHOLE_BYTES = 1 << 20


class Stopped(Exception):
    """Another thread failed, or the user interrupted."""


@final
@dataclass(frozen=True)
class Rules:
    """What holds for a whole pass. bytes_done: is told what has been read; matrices: those that all threads share."""

    stop: threading.Event
    allow_nonfinite: bool = False
    bytes_done: Callable[[int], None] | None = None
    matrices: SharedMatrices = field(default_factory=SharedMatrices)

    def refuse_nonfinite(self, values: NDArray[np.float32], dtype: str, start: int, whose: str, name: str) -> None:
        """An error that names the first value that is, or becomes as `dtype`, infinite or no number."""
        index = -1 if self.allow_nonfinite else first_nonfinite(values, dtype)
        if index >= 0:
            place = f"element {start + index} of {quoted(name)}"
            raise CheckpointError(f"{whose}: {values[index]} at {place} (as {dtype}); allow it with --allow-nonfinite")


@final
class Reading:
    """Reads stored tensors for one pass, with what lies beside them: scales of codes, matrices of an adapter."""

    def __init__(self, files: OpenFiles, rules: Rules, bytes_done: Callable[[int], None] | None = None) -> None:
        """bytes_done: is told in place of that of the rules."""
        self._files, self.rules = files, rules
        self._bytes_done = bytes_done or rules.bytes_done
        self.whole_hashes: dict[TensorSpec, bytes] = {}
        self._updates: dict[LowRankUpdate, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        self._decoders: dict[Coded, Decoder] = {}

    def stored(self, spec: TensorSpec, start: int, buffer: memoryview) -> None:
        """The bytes of elements from `start` on."""
        if self.rules.stop.is_set():
            raise Stopped
        self._files.read(spec.path, buffer, spec.offset + byte_length(spec.dtype, start))
        if self._bytes_done:
            self._bytes_done(len(buffer))

    def values(
        self, source: Source, raw: NDArray[np.uint8], start: int, row: NDArray[np.float32], *, first: bool
    ) -> None:
        """What the stored bytes of a stretch mean, none where codes were read before; first: whether it has not been
        looked at in this pass."""
        spec, finite = source.spec, False
        if source.codes is None:
            finite = decode(raw, spec.dtype, row)
        else:
            self._decoders[source.codes](raw, source.first + start, row)
        if first and not finite:
            self.rules.refuse_nonfinite(row, "F32", start, source.model, spec.name)
        if source.added:
            row += np.float32(source.added)
        if source.turn is not None:
            np.copyto(row, source.turn.turned(row))
        if source.update:
            b, a = self._updates[source.update]
            _add_to_experts(row, start, b, a)

    def stretch(self, source: Source, start: int, count: int) -> NDArray[np.float32]:
        """Any stretch of a tensor's values, as `fill` reads it."""
        values = np.empty(count, np.float32)
        self.fill(source, start, values)
        return values

    def fill(self, source: Source, start: int, out: NDArray[np.float32], *, first: bool = False) -> None:
        """A tensor's values from any `start`; what lies beside it must be loaded. Whole units are read around them."""
        unit, end = max(1, source.unit), start + out.size
        low, high = start // unit * unit, -(-end // unit) * unit
        is_whole = (low, high) == (start, end)
        raw = np.empty(byte_length(source.spec.dtype, high - low) if source.is_streamed else 0, np.uint8)
        values = out if is_whole else np.empty(high - low, np.float32)
        if source.is_streamed:
            self.stored(source.spec, low, raw.data)
        self.values(source, raw, low, values, first=first)
        if not is_whole:
            out[:] = values[start - low : end - low]

    def load_beside(self, source: Source) -> None:
        """Read what codes need, and an adapter's two matrices, whole: every stretch needs them."""
        codes = source.codes
        if codes is not None and codes not in self._decoders:
            self._decoders[codes] = codes.decoder([self._beside(spec, source) for spec in codes.beside])
        update = source.update
        if update is None or update in self._updates:
            return
        a, b = (self._whole(spec, source, shared=update.part is not None) for spec in (update.a, update.b))
        b, a = (b[None], a[None]) if update.part is None else update.part.of(b, a)
        self._updates[update] = (np.float32(update.scale) * b, a)

    def hash_whole(self, spec: TensorSpec) -> None:
        """Read a tensor for its hash alone."""
        digest, window = blake3(), memoryview(bytearray(min(_WHOLE_BYTES, spec.byte_length)))
        for start in range(0, spec.byte_length, _WHOLE_BYTES):
            if self.rules.stop.is_set():
                raise Stopped
            part = window[: min(_WHOLE_BYTES, spec.byte_length - start)]
            self._files.read(spec.path, part, spec.offset + start)
            digest.update(part)
            if self._bytes_done:
                self._bytes_done(len(part))
        self.whole_hashes[spec] = digest.digest()

    def _beside(self, spec: TensorSpec, source: Source) -> Beside:
        raw = np.empty(spec.byte_length, np.uint8)
        self._files.read(spec.path, raw.data, spec.offset)
        self.whole_hashes[spec] = blake3(raw.data).digest()
        if self._bytes_done:
            self._bytes_done(spec.byte_length)
        values = beside_values(raw, spec)
        if spec.dtype in FLOATS:
            self.rules.refuse_nonfinite(values.reshape(-1), "F32", 0, source.model, spec.name)
        return values

    def _whole(self, spec: TensorSpec, source: Source, *, shared: bool = False) -> NDArray[np.float32]:
        """A tensor's values; shared: parts of it are other tensors'."""

        def read() -> Matrix:
            raw = np.empty(spec.byte_length, np.uint8)
            self._files.read(spec.path, raw.data, spec.offset)
            values = np.empty(spec.elements, np.float32)
            decode(raw, spec.dtype, values)
            self.rules.refuse_nonfinite(values, "F32", 0, source.model, spec.name)
            return Matrix(values.reshape(spec.shape), blake3(raw.data).digest())

        matrix = self.rules.matrices.get(spec, read) if shared else read()
        self.whole_hashes[spec] = matrix.digest
        return matrix.values


def _add_to_experts(
    values: NDArray[np.float32], start: int, scaled_b: NDArray[np.float32], a: NDArray[np.float32]
) -> None:
    """Add scaled_b @ A to the elements from `start` of matrices one after the other: [experts, rows, columns]."""
    size, end = scaled_b.shape[1] * a.shape[2], start + values.size
    for expert in range(start // size, -(-end // size)):
        low, high = max(start, expert * size), min(end, (expert + 1) * size)
        add_low_rank(values[low - start : high - start], low - expert * size, scaled_b[expert], a[expert])
