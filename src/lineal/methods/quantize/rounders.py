"""Rounding one matrix to what a scheme stores, window after window of whole rows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.methods.quantize.grid import MIN_MAX, Clipping, Grid, Ranges, Scales, fit, from_codes, scales_of, to_codes
from lineal.methods.quantize.grid_rounding import is_in_granules, round_groups
from lineal.methods.quantize.packed_schemes import BLOCK, Span, Storage
from lineal.methods.quantize.rounding_error import GRANULE, add_rounding_error
from lineal.methods.quantize.small_floats import (
    E2M1_LARGEST,
    E4M3_LARGEST,
    largest_magnitudes,
    powers_of_two,
    rounded_to_e4m3,
    to_e2m1,
    to_e4m3,
)

Float32: TypeAlias = NDArray[np.float32]
Figures: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int8] | NDArray[np.uint8]

TENSOR_SCALE: Final = "weight_scale"
GLOBAL_SCALE: Final = "weight_global_scale"
"""Numbers of a whole tensor, as they are called where they are stored."""


class Coded(NamedTuple):
    """codes: [rows, columns], signed whole numbers or bits of floats; scales: float32 [rows or blocks, groups], as they
    are stored, empty where all share one; zeros: zero points, codes too."""

    codes: Codes
    scales: Float32
    zeros: NDArray[np.int8] | None = None


class Rounder(Protocol):
    """Sees the whole matrix as often as `looks` says, then rounds it. A scale of what is not finite is not either."""

    @property
    def looks(self) -> int: ...

    def look(self, values: Float32) -> None: ...

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        """values: whole rows, [rows, columns]; stored: is filled with what the codes are worth."""
        ...

    def measured(self, values: Float32, figures: Figures) -> Coded:
        """The same, with what rounding costs added to the figures (`rounding_error`)."""
        ...

    def numbers(self) -> Mapping[str, Float32]:
        """Those that the whole tensor shares."""
        ...


def rounder(storage: Storage, scale_dtype: str, clipping: Clipping = MIN_MAX) -> Rounder:
    """A new one for a matrix. scale_dtype: what scales are stored as where the scheme leaves it to the model."""
    match storage.scheme.number, storage.span:
        case "int", "tensor":
            return _GridOfTensor(storage.grid(scale_dtype))
        case "int", _:
            return _GridOfRows(storage.grid(scale_dtype), clipping)
        case "e4m3", "tensor":
            return _Float8OfTensor(scale_dtype)
        case "e4m3", span:
            return _Float8OfBlocks(scale_dtype, BLOCK if span == "block" else 1, BLOCK if span == "block" else None)
        case _, 16:
            return _Nvfp4()
        case _:
            return _Mxfp4()


class _Measuring(ABC):
    """span: of a scale."""

    span: Span | None = None

    @abstractmethod
    def round(self, values: Float32, stored: Float32 | None = None) -> Coded: ...

    def measured(self, values: Float32, figures: Figures) -> Coded:
        stored = np.empty_like(values)
        found = self.round(values, stored)
        add_rounding_error(values.reshape(-1), stored.reshape(-1), measured_block(self.span), figures)
        return found


class _Local(_Measuring):
    """Each window is rounded by itself."""

    looks = 0

    def look(self, values: Float32) -> None:
        pass

    def numbers(self) -> Mapping[str, Float32]:
        return {}


@final
class _GridOfRows(_Local):
    def __init__(self, grid: Grid, clipping: Clipping) -> None:
        self._grid, self._clipping, self.span = grid, clipping, grid.group

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        scales = fit(values, self._grid, self._clipping)
        codes = to_codes(values, scales, self._grid)
        if stored is not None:
            stored[:] = from_codes(codes, scales, self._grid)
        return self._coded(codes, scales)

    def measured(self, values: Float32, figures: Figures) -> Coded:
        if self._clipping is MIN_MAX and is_in_granules(self._grid):
            return self._coded(*round_groups(values, self._grid, figures))
        return super().measured(values, figures)

    def _coded(self, codes: NDArray[np.int8], scales: Scales) -> Coded:
        return Coded(codes, scales.scales, None if self._grid.symmetric else scales.zeros)


class _Looking(_Measuring):
    """Looks for the largest magnitude of the whole matrix first."""

    looks = 1

    def __init__(self) -> None:
        self._largest = np.zeros((1, 1), np.float32)

    def look(self, values: Float32) -> None:
        found = largest_magnitudes(values.reshape(1, -1), 1, max(1, values.size))
        self._largest = np.maximum(self._largest, found)


@final
class _GridOfTensor(_Looking):
    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self._grid = grid

    @property
    def _scales(self) -> Scales:
        return scales_of(Ranges(-self._largest, self._largest), self._grid)

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        flat, scales = values.reshape(1, -1), self._scales
        codes = to_codes(flat, scales, self._grid)
        if stored is not None:
            stored[:] = from_codes(codes, scales, self._grid).reshape(values.shape)
        return Coded(codes.reshape(values.shape), scales.scales)

    def numbers(self) -> Mapping[str, Float32]:
        return {TENSOR_SCALE: self._scales.scales.reshape(1)}


def measured_block(span: Span | None) -> int:
    """Weights whose shifted groups are counted together: where granules hold whole ones, of at least 32; else 1."""
    return span if isinstance(span, int) and span >= 32 and GRANULE % span == 0 else 1


def _float8_scales(largest: Float32, scale_dtype: str) -> Float32:
    """largest / 448, as they are stored: as a grid of so many steps has them."""
    return scales_of(Ranges(-largest, largest), Grid(8, scale_dtype=scale_dtype), E4M3_LARGEST).scales


@final
class _Float8OfBlocks(_Local):
    def __init__(self, scale_dtype: str, tall: int, wide: int | None) -> None:
        self._scale_dtype, self._tall, self._wide = scale_dtype, tall, wide

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        wide = self._wide or values.shape[1]
        scales = _float8_scales(largest_magnitudes(values, self._tall, wide), self._scale_dtype)
        return Coded(to_e4m3(values, scales, self._tall, wide, stored), scales)


@final
class _Float8OfTensor(_Looking):
    def __init__(self, scale_dtype: str) -> None:
        super().__init__()
        self._scale_dtype = scale_dtype

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        scales = _float8_scales(self._largest, self._scale_dtype)
        return Coded(to_e4m3(values, scales, len(values), values.shape[1], stored), scales)

    def numbers(self) -> Mapping[str, Float32]:
        return {TENSOR_SCALE: _float8_scales(self._largest, self._scale_dtype).reshape(1)}


@final
class _Nvfp4(_Looking):
    """Groups of 16 behind float8 scales, which are spread over all of float8 by one number of the whole tensor.

    That number divides: a weight is code * (scale / number). A group's scale of 0 becomes the smallest there is, or 1
    where all weights are 0.
    """

    @property
    def _number(self) -> np.float32:
        largest = self._largest[0, 0]
        with np.errstate(over="ignore", divide="ignore"):
            number = E4M3_LARGEST * E2M1_LARGEST / np.maximum(largest, np.finfo(np.float32).tiny)
        return number if np.isfinite(number) else np.float32(1)

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        number, largest = self._number, largest_magnitudes(values, 1, 16)
        with np.errstate(over="ignore", invalid="ignore"):
            scales = rounded_to_e4m3(number * (largest / E2M1_LARGEST))
        scales = np.where(scales > 0, scales, np.where(largest > 0, np.float32(2.0**-9), np.float32(1)))
        scales = np.where(np.isfinite(largest), scales, np.float32(np.nan)).astype(np.float32)
        return Coded(to_e2m1(values, scales / number, 16, stored), scales)

    def numbers(self) -> Mapping[str, Float32]:
        return {GLOBAL_SCALE: np.array([self._number], np.float32)}


@final
class _Mxfp4(_Local):
    span = 32

    def round(self, values: Float32, stored: Float32 | None = None) -> Coded:
        scales = powers_of_two(largest_magnitudes(values, 1, 32))
        return Coded(to_e2m1(values, scales, 32, stored), scales)
