"""How one tensor of a GGUF compares with what is made of its parent's weights, in each of llama.cpp's ways."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import FLOATS, decode, encode
from lineal.checkpoint.codes.ggml.codecs import BLOCK_CODECS, PLAIN, Encoding
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS, byte_length
from lineal.engines.stream.open_files import OpenFiles

Float32: TypeAlias = NDArray[np.float32]

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
_LAST_BITS = 2.0**-20
"""What is worked out from a config may be off by, in shares of it: platforms have powers of their own."""

VARIANTS = tuple(Variant(source, fused) for fused, source in product((False, True), SOURCES))


@final
@dataclass(frozen=True)
class Rederived:
    """One tensor of the file beside what was made of the parent's. blocks: single values, where it is not quantized.

    equal: blocks, of the variant that comes nearest; error, expected: squared error of the file's values and of those
    made here, over the squares of the parent's; is_made: whether there is an encoder of this type here; last_bits:
    whether those of values that are worked out from the config differ, which is no difference.
    """

    name: str
    dtype: str
    blocks: int
    equal: int
    error: float
    expected: float
    is_made: bool
    last_bits: bool = False

    @property
    def agrees(self) -> bool:
        return self.equal == self.blocks

    @property
    def share(self) -> float:
        return self.equal / max(1, self.blocks)


@final
@dataclass
class Race:
    """The variants that every block so far agrees with."""

    alive: tuple[Variant, ...] = VARIANTS
    lock: threading.Lock = field(default_factory=threading.Lock)

    def drop(self, lost: set[Variant]) -> None:
        with self.lock:
            self.alive = tuple(variant for variant in self.alive if variant not in lost)


@final
class Tally:
    """How many blocks of one tensor each variant makes; a variant that has lost and is behind is tried no more."""

    def __init__(
        self, spec: TensorSpec, weighted: Sequence[Encoding], race: Race, files: OpenFiles, *, worked_out: bool
    ) -> None:
        self._spec, self._weighted, self._race, self._files = spec, weighted, race, files
        self._worked_out, self._last_bits, self._is_made = worked_out, False, spec.dtype in _ENCODED
        self._equal = dict.fromkeys(VARIANTS, 0)
        self._block = BLOCKS.get(spec.dtype, (1, 0))[0]
        self._squares, self._error, self._expected = 0.0, 0.0, 0.0

    @property
    def dtype(self) -> str:
        return self._spec.dtype

    @property
    def unit(self) -> int:
        return self._spec.shape[-1] if self._weighted else self._block

    def take(self, first: int, values: Float32) -> None:
        """Values of the parent, from the element `first` on."""
        theirs = self._stored(byte_length(self._spec.dtype, first), byte_length(self._spec.dtype, values.size))
        if not self._is_made:
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

    def take_blocks(self, start: int, ours: NDArray[np.uint8]) -> None:
        """The parent's own blocks, from this byte on, of what is only copied."""
        theirs, count = self._stored(start, ours.size), ours.size * self._block // byte_length(self.dtype, self._block)
        self._is_made, agree = True, self._agreeing(ours, theirs)
        self._equal = {variant: equal + agree for variant, equal in self._equal.items()}
        if agree < count // self._block:
            self._race.drop(set(VARIANTS))
        values = np.empty(count, np.float32)
        decode(ours, self.dtype, values)
        self._measure(values, theirs, ours)

    def _stored(self, start: int, length: int) -> NDArray[np.uint8]:
        """Bytes of the file's tensor."""
        theirs = np.empty(length, np.uint8)
        self._files.read(self._spec.path, theirs.data, self._spec.offset + start)
        return theirs

    def _encoded(self, first: int, values: Float32, *, fused: bool) -> NDArray[np.uint8]:
        """A window may hold several experts, and begin within one."""
        raw, dtype = np.empty(byte_length(self._spec.dtype, values.size), np.uint8), self._spec.dtype
        each, done = self._spec.elements // max(1, len(self._weighted)), 0
        while done < values.size:
            expert, within = divmod(first + done, each)
            end = min(done + each - within, values.size)
            encoding = replace(self._weighted[expert] if self._weighted else PLAIN, fused=fused)
            out = raw[byte_length(dtype, done) : byte_length(dtype, end)]
            encode(np.ascontiguousarray(values[done:end]), dtype, out, encoding)
            done = end
        return raw

    def _agreeing(self, ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> int:
        if self._worked_out and self._spec.dtype == "F32":
            near = np.isclose(ours.view(np.float32), theirs.view(np.float32), rtol=_LAST_BITS, atol=0)
            self._last_bits |= bool((near & (ours.view(np.uint32) != theirs.view(np.uint32))).any())
            return int(near.sum())
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
            self._is_made,
            self._last_bits,
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
