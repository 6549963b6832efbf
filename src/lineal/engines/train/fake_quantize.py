"""Linear layers that compute with rounded weights, and whose gradients pass the rounding by.

Source: Bengio, Leonard and Courville 2013, "Estimating or Propagating Gradients Through Stochastic Neurons", section 4
(the straight-through estimator); Jacob et al. 2018, "Quantization and Training of Neural Networks", section 3.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

from lineal.engines.inference.linear_layers import holds_experts
from lineal.errors import MethodError
from lineal.methods.finetune.fake_quantization import FakeQuantization
from lineal.methods.quantize.grid import Grid
from lineal.shown import quoted

_STORED: Final = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
_SMALLEST: Final = {"BF16": 2.0**-133, "F16": 2.0**-24, "F32": 2.0**-149}


@contextmanager
def fake_quantized(
    model: PreTrainedModel, wanted: FakeQuantization | None, dtypes: Mapping[str, str]
) -> Generator[None]:
    """Inside, every linear layer but the output head computes with what `rtn` would make of its weight.

    The weights themselves stay as they are. dtypes: what each weight will be stored as, which it is rounded to first,
    as its scales are. Raises: MethodError: rows that are no whole groups, a dtype that has no scales, experts.
    """
    layers = [] if wanted is None else list(_layers(model))
    if wanted is not None:
        grids = [_grid(wanted, path, layer, dtypes) for path, layer in layers]
        for (_, layer), grid in zip(layers, grids, strict=True):
            cast(Any, layer).forward = partial(_forward, layer, grid)
    try:
        yield
    finally:
        for _, layer in layers:
            del layer.forward


def _layers(model: PreTrainedModel) -> Generator[tuple[str, nn.Linear]]:
    if holds_experts(model):
        raise MethodError("fake_quantize: the experts of a mixture lie in one tensor, which is not rounded in training")
    head = model.get_output_embeddings()
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head:
            yield path, module


def _grid(wanted: FakeQuantization, path: str, layer: nn.Linear, dtypes: Mapping[str, str]) -> Grid:
    """Names differ where transformers fuses or renames; then the dtype is that of all weights."""
    others = set(dtypes.values())
    dtype = dtypes.get(f"{path}.weight") or (others.pop() if len(others) == 1 else None)
    if dtype not in _STORED:
        raise MethodError(
            f"fake_quantize: {quoted(path)} is stored as {dtype or 'several dtypes'}, which has no scales"
        )
    grid = Grid(wanted.bits, wanted.symmetric, wanted.group, dtype)
    try:
        grid.groups(layer.in_features)
    except MethodError as error:
        raise MethodError(f"fake_quantize: {quoted(path)}: {error}") from None
    return grid


def _forward(layer: nn.Linear, grid: Grid, values: Tensor) -> Tensor:
    return linear(values, cast(Tensor, _StraightThrough.apply(layer.weight, grid)), layer.bias)


class _StraightThrough(torch.autograd.Function):
    """Rounds, with a derivative of 1."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, grid: Grid) -> Tensor:  # noqa: ARG004 - as torch calls it
        return rounded(weight, grid)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004 - likewise
        return gradients[0], None


def rounded(weight: Tensor, grid: Grid) -> Tensor:
    """What a float32 weight [out, in] is worth on a grid, once it is stored in the dtype of the scales.

    The numbers are those of `grid.fit`, `to_codes` and `from_codes`, bit for bit.
    """
    stored = _STORED[grid.scale_dtype]
    groups = weight.detach().to(stored).float().reshape(len(weight), grid.groups(weight.shape[1]), -1)
    lows, highs = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
    steps = float((1 << grid.bits) - 1)
    if grid.symmetric:
        exact = torch.maximum(-lows, highs) / (steps / 2)
    else:
        exact = (highs.clamp(min=0) - lows.clamp(max=0)) / steps
    scales = exact.to(stored).float()
    smallest = torch.where((lows == 0) & (highs == 0), 1.0, _SMALLEST[grid.scale_dtype])
    scales = torch.where(scales == 0, smallest, scales)
    low, high = float(grid.lowest), float(grid.highest)
    zeros = torch.zeros_like(scales) if grid.symmetric else (low - lows.clamp(max=0) / scales).clamp(low, high).round()
    codes = (groups / scales + zeros).clamp(low, high).round()
    return ((codes - zeros) * scales).reshape(weight.shape)
