"""Static scales of what layers multiply, from a text: fp8 and int8 that need no scales of inputs at run time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import ml_dtypes
import numpy as np

from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Block, Rounded
from lineal.methods.quantize.activation_range import ActivationRange, Nearest, Observer
from lineal.methods.quantize.calibrated_packing import CalibratedPacking
from lineal.methods.quantize.grid import Grid, Ranges, scales_of
from lineal.methods.quantize.packed_schemes import SchemeName
from lineal.methods.quantize.rounded import rounded
from lineal.methods.quantize.small_floats import E4M3_LARGEST


@final
@dataclass(frozen=True, kw_only=True)
class StaticScales(CalibratedPacking):
    """Round weights to nearest, and store beside each layer one scale for its inputs, from what a text makes them.

    scheme: fp8 (one scale for a whole weight) or w8a8_static (one for each of its rows).
    observer: what the largest code of inputs stands for. min_max: the largest magnitude seen; percentile: that which so
        many of a hundred are not above; mse: that with the least mean square error; moving_average: of the largest
        magnitudes of portions of the samples, where a new one counts 0.01.
    percentile: for that observer, in (0, 100].
    """

    name: ClassVar = "static"
    paper: ClassVar = "https://arxiv.org/abs/1712.05877"

    scheme: SchemeName = "fp8"
    observer: Observer = "min_max"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.storage.scheme.is_static:
            raise MethodError(f"static: is for schemes with scales of inputs, fp8 and w8a8_static, not {self.scheme}")
        if not 0 < self.percentile <= 100:
            raise MethodError(f"static: percentile must be in (0, 100], got {self.percentile}")

    def work_on(self, block: Block) -> Iterator[Rounded]:
        layers = {shared: [*filter(block.is_packed, shared.layers)] for shared in block.shared_inputs}
        seen = {shared: ActivationRange() for shared, names in layers.items() if names}
        block.gather({shared: (one,) for shared, one in seen.items()})
        for shared, one in seen.items():
            greatest = one.found(self.observer, self._nearest, self.percentile)
            for name in layers[shared]:
                dtype = block.dtype(name)
                scale = input_scale(greatest, dtype, is_float=self._is_float)
                yield rounded(name, block.weight(name), self.storage, dtype, beside={"input_scale": scale})

    @property
    def _is_float(self) -> bool:
        return self.storage.scheme.number == "e4m3"

    @property
    def _nearest(self) -> Nearest:
        return nearest_e4m3 if self._is_float else nearest_int8


def input_scale(greatest: np.float32, dtype: str, *, is_float: bool) -> Float32:
    """greatest / 448, or greatest / 127.5 for int8, as a number of that dtype that is not 0: [1]."""
    ranges = Ranges(*(np.full((1, 1), sign * greatest, np.float32) for sign in (-1, 1)))
    return scales_of(ranges, Grid(8, scale_dtype=dtype), E4M3_LARGEST if is_float else None).scales.reshape(1)


def nearest_e4m3(values: Float32, greatest: np.float32) -> Float32:
    scale = greatest / E4M3_LARGEST
    clamped = np.clip(values / scale, -E4M3_LARGEST, E4M3_LARGEST)
    return clamped.astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * scale


def nearest_int8(values: Float32, greatest: np.float32) -> Float32:
    scale = greatest / np.float32(127.5)
    return np.clip(np.rint(values / scale), -128, 127) * scale
