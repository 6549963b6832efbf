"""AWQ: columns that large inputs meet are made larger before they are rounded, and what makes those inputs smaller."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Block, Rounded, SharedInput
from lineal.methods.input_statistics import ColumnMagnitudes, TokenSample
from lineal.methods.quantize.calibrated_rounding import CalibratedRounding
from lineal.methods.quantize.grid import MIN_MAX, Grid, fit, from_codes, to_codes
from lineal.methods.quantize.output_clipping import output_clipping
from lineal.methods.quantize.rounded import rounded

_LEAST: Final = np.float32(1e-4)
"""Of a column's factor, as a share of the largest."""


@final
@dataclass(frozen=True, kw_only=True)
class Awq(CalibratedRounding):
    """Scale columns by the mean magnitude of their inputs to a power, clip each group, then round to nearest.

    The power, from 0 on, and how far a group's range is clipped are those that leave the least error in the layers'
    outputs, on a sample of the tokens. What stands before the layers is divided by the scales, so that without rounding
    the model computes what it did. Layers before which nothing can be divided, such as the experts of a mixture, which
    share their inputs with a router, are only clipped.

    steps: powers that are tried: 0, 1/steps, 2/steps, ..., below 1.
    clip: whether ranges are clipped, to between a half and all of them.
    """

    name: ClassVar = "awq"
    paper: ClassVar = "https://arxiv.org/abs/2306.00978"

    steps: int = 20
    clip: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.steps, bool) or not 1 <= self.steps <= 100:
            raise MethodError(f"awq: steps must be from 1 to 100, got {self.steps}")

    def work_on(self, block: Block) -> Iterator[Rounded]:
        layers = {shared: [*filter(block.is_packed, shared.layers)] for shared in block.shared_inputs}
        seen = {shared: _Seen(shared) for shared, names in layers.items() if names}
        block.gather({shared: (one.magnitudes, one.sample) for shared, one in seen.items()})
        for shared, one in seen.items():
            if shared.foldable:
                weights = [block.weight(name) for name in layers[shared]]
                grid = self.grid(block.dtype(layers[shared][0]))
                # where heads share a value, what it meets is all of them (the paper's code folds nothing there)
                magnitudes = shared.repeats.mean(one.magnitudes.mean)
                scales = column_scales(weights, one.sample.inputs, magnitudes, grid, self.steps)
                block.fold(shared, scales)
                one.sample.inputs[:] /= scales
        for shared, one in seen.items():
            clipping = output_clipping(one.sample.inputs) if self.clip else MIN_MAX
            for name in layers[shared]:
                yield rounded(name, block.weight(name), self.storage, block.dtype(name), clipping=clipping)


@final
class _Seen:
    def __init__(self, shared: SharedInput) -> None:
        self.magnitudes, self.sample = ColumnMagnitudes(shared.columns), TokenSample(shared.columns)


def column_scales(
    weights: Sequence[Float32], inputs: Float32, magnitudes: NDArray[np.float64], grid: Grid, steps: int = 20
) -> Float32:
    """What the columns of layers with the same inputs are multiplied by before they are rounded, [columns].

    weights: [rows, columns] each; inputs: of some tokens, [tokens, columns]; magnitudes: the mean of each column's over
    all tokens. The scales are magnitudes^a for that a which makes the squares of what all outputs are away from those
    of the weights least (equations 4 and 5), with their largest and smallest product 1, as in the paper's code.
    """
    best, least = np.ones(len(magnitudes), np.float32), np.inf
    for step in range(steps):
        scales = _power(magnitudes, step / steps)
        error = sum(_output_error(weight, _nearest(weight * scales, grid) / scales, inputs) for weight in weights)
        if error < least:
            best, least = scales, error
    return best


def _power(magnitudes: NDArray[np.float64], power: float) -> Float32:
    """Inputs that are always 0 have no part in it."""
    alive = magnitudes > 0
    raised = np.where(alive, magnitudes, 1) ** power
    if alive.any():
        largest = raised[alive].max()
        raised = np.maximum(raised, _LEAST * largest)
        raised /= np.sqrt(largest * raised[alive].min())
    return np.where(alive, raised, 1).astype(np.float32)


def _nearest(weight: Float32, grid: Grid) -> Float32:
    scales = fit(weight, grid)
    return from_codes(to_codes(weight, scales, grid), scales, grid)


def _output_error(weight: Float32, stored: Float32, inputs: Float32) -> float:
    import torch  # noqa: PLC0415 - options of methods are read where there is no torch

    moved = torch.from_numpy(stored - weight) @ torch.from_numpy(inputs).T
    return float(moved.square().sum(dtype=torch.float64))
