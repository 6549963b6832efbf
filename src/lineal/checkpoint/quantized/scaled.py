"""Codes that are values of a table, times the scale of their block: what most formats come down to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.packed.values import INTEGERS, look_up, values_of
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import CODES, byte_length
from lineal.checkpoint.layouts.turn import Turn
from lineal.checkpoint.quantized.coded import Beside, Raw
from lineal.checkpoint.quantized.scaling import Blocks, scale, scale_by_column, shift_and_scale
from lineal.errors import CheckpointError
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]

_SUBNORMAL = 1 << 22
"""The bits of 2^-127, which a float32 has no exponent for."""


@final
@dataclass(frozen=True)
class Zeros:
    """Zero points, subtracted from codes before they are scaled. packed: bits of each where they are packed down the
    rows, [ceil(rows * bits / 32), groups] words; 0 where each is a number of its own, in the shape of the scales.
    """

    spec: TensorSpec
    packed: int


@final
@dataclass(frozen=True)
class Scaled:
    """(value of the code - zero) * scale, in float32.

    spec: see `Coded`; kind: of the values of codes (`codes/packed/values.py`); blocks: what shares a scale; scale: of
    all blocks, as floats, or as exponents of two with 127 added (U8, F8_E8M0); divisor: one number that divides scales;
    groups: the group of each column, where it is stored, all negative where columns are in order; shown: the weight's
    shape, where it is stored; packed: the tensor of the codes where rows are filled up to words: it is read whole.
    """

    spec: TensorSpec
    shape: tuple[int, ...]
    dtype: str
    kind: str
    blocks: Blocks
    scale: TensorSpec
    zeros: Zeros | None = None
    divisor: TensorSpec | None = None
    groups: TensorSpec | None = None
    shown: TensorSpec | None = None
    packed: TensorSpec | None = None
    turn: Turn | None = None

    @property
    def is_streamed(self) -> bool:
        return self.packed is None

    @property
    def beside(self) -> tuple[TensorSpec, ...]:
        zeros = None if self.zeros is None else self.zeros.spec
        every = (self.scale, zeros, self.divisor, self.groups, self.shown, self.packed)
        return tuple(spec for spec in every if spec is not None)

    @property
    def working_bytes(self) -> int:
        scales = math.prod(self.scale.shape) * (4 if self.zeros is None else 8)
        return scales + sum(spec.byte_length for spec in self.beside)

    @property
    def bits(self) -> int:
        return int(self.spec.dtype.removeprefix("CODES"))

    def decoder(self, beside: Sequence[Beside]) -> "ScaledDecoder":
        read = dict(zip(self.beside, beside, strict=True))
        if self.shown is not None and read[self.shown].tolist() != list(self.spec.shape):
            said, found = read[self.shown].tolist(), list(self.spec.shape)
            raise CheckpointError(f"{quoted(self.shown.name)} says {said}, but its codes are {found}")
        scales = self._scales(read)
        zeros = None if self.zeros is None else self._zeros(self.zeros, read[self.zeros.spec])
        groups = None if self.groups is None else self._groups(self.groups, read[self.groups])
        packed = None if self.packed is None else read[self.packed].reshape(-1).view(np.uint8)
        return ScaledDecoder(self, scales, zeros, groups, packed)

    def _scales(self, read: dict[TensorSpec, Beside]) -> Float32:
        found = read[self.scale].reshape(-1)
        scales: Float32 = powers_of_two(found) if found.dtype == np.uint8 else found
        if self.divisor is None:
            return scales
        divisor = read[self.divisor].reshape(-1)[0]
        if not divisor:
            raise CheckpointError(f"{quoted(self.divisor.name)} is zero, and scales are divided by it")
        return scales / divisor

    def _zeros(self, zeros: Zeros, found: Beside) -> Float32:
        """One for each scale; packed ones have 2^(bits-1) added, as codes do."""
        if not zeros.packed:
            return found.reshape(-1).astype(np.float32)
        rows, across = self.blocks.height, self.blocks.across
        columns = np.ascontiguousarray(found.T).view(np.uint8)
        down = np.empty((across, rows), np.float32)
        for group in range(across):
            look_up(columns[group], 0, zeros.packed, values_of(INTEGERS, zeros.packed), down[group])
        return np.ascontiguousarray(down.T).reshape(-1)

    def _groups(self, spec: TensorSpec, found: Beside) -> NDArray[np.int32] | None:
        """None where columns are in order; each group must have as many columns as it is large."""
        if found.size and (found < 0).all():
            return None
        counts = np.bincount(found, minlength=self.blocks.across) if found.size and found.min() >= 0 else np.zeros(0)
        if counts.tolist() != [self.blocks.columns] * self.blocks.across:
            wanted = f"{self.blocks.across} groups of {self.blocks.columns} columns"
            raise CheckpointError(f"{quoted(spec.name)} does not put its columns into {wanted}")
        return np.ascontiguousarray(found, np.int32)


@final
class ScaledDecoder:
    """zeros: one for each scale, or None; groups: of each column, where they are not in order; packed: codes that are
    read whole, each row in bytes of its own."""

    def __init__(
        self,
        codes: Scaled,
        scales: Float32,
        zeros: Float32 | None,
        groups: NDArray[np.int32] | None,
        packed: Raw | None,
    ) -> None:
        self._bits, self._blocks = codes.bits, codes.blocks
        self._values = values_of(codes.kind, codes.bits)
        self._scales, self._zeros, self._groups, self._packed = scales, zeros, groups, packed

    def __call__(self, raw: Raw, start: int, out: Float32) -> None:
        if self._packed is None:
            look_up(raw, 0, self._bits, self._values, out)
        else:
            self._look_up_rows(self._packed, start, out)
        if self._groups is not None:
            zeros = np.zeros_like(self._scales) if self._zeros is None else self._zeros
            scale_by_column(out, start, self._groups, zeros, self._scales, self._blocks.across)
        elif self._zeros is not None:
            shift_and_scale(out, start, self._blocks, self._zeros, self._scales)
        else:
            scale(out, start, self._blocks, self._scales)

    def _look_up_rows(self, packed: Raw, start: int, out: Float32) -> None:
        width = self._blocks.width
        rows = packed.reshape(-1, -(-width * self._bits // 32) * 4)
        done = 0
        while done < out.size:
            row, column = divmod(start + done, width)
            count = min(width - column, out.size - done)
            look_up(rows[row], column, self._bits, self._values, out[done : done + count])
            done += count


def powers_of_two(exponents: NDArray[np.uint8]) -> Float32:
    """2^(e - 127), the scales of the OCP's microscaling formats. 255, which is no number there, is infinite."""
    bits = exponents.astype(np.uint32) << 23
    bits[exponents == 0] = _SUBNORMAL
    return bits.view(np.float32)


def as_codes(stored: TensorSpec, bits: int, shape: tuple[int, ...]) -> TensorSpec:
    """A stored tensor of codes as the weight that they are."""
    return TensorSpec(stored.name, f"CODES{bits}", shape, stored.path, stored.offset, stored.byte_length)


def is_whole(bits: int, shape: tuple[int, ...], stored: TensorSpec) -> bool:
    """Whether codes follow each other without a gap, from row to row, so that they can be streamed."""
    elements = math.prod(shape)
    return elements % CODES[f"CODES{bits}"][0] == 0 and byte_length(f"CODES{bits}", elements) == stored.byte_length
