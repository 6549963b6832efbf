"""What stands before linear layers, where dividing it by a vector divides their inputs: norms, values and ups.

AWQ and SmoothQuant move the scales of columns there. Candidates are found by what is run and by name; each is tried on
a sample, and only those that leave what the block computes as it was are taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast, final

import numpy as np
import torch
from torch import Tensor, nn

from lineal.engines.calibrate.layer import Layer
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import ONCE, Repeats

_TOLERANCE = 1e-4
_OUTPUT, _VALUE, _JOINED = "self_attn.o_proj", "v_proj", "qkv_proj"
_DOWN, _UP, _GATE_UP = ".down_proj", "up_proj", "gate_up_proj"


@final
@dataclass(frozen=True, eq=False)
class Divided:
    """A tensor, or some rows of it, [columns, ...]; raised: what is added to its values before they are used."""

    name: str
    rows: Tensor
    raised: float = 0.0


@final
@dataclass(frozen=True, eq=False)
class Before:
    """All that is divided together. repeats: in which of the layers' columns each of its numbers arrives."""

    parts: Sequence[Divided]
    repeats: Repeats = ONCE

    def divide(self, divisors: Float32) -> None:
        once = torch.from_numpy(self.repeats.once(divisors))
        for part in self.parts:
            by = once.view(-1, *(1,) * (part.rows.ndim - 1))
            part.rows.add_(part.raised).div_(by).sub_(part.raised)


class Foldable(Protocol):
    """Layers with what may stand before them."""

    @property
    def before(self) -> Before | None: ...
    @property
    def layers(self) -> tuple[str, ...]: ...


_Place = TypeVar("_Place", bound=Foldable)


def fold(layer: Layer, place: Foldable, divisors: Float32) -> Iterable[str]:
    """Divide what stands before the layers, multiply their columns; the names of all tensors that are changed."""
    assert place.before is not None
    place.before.divide(divisors)
    for name in place.layers:
        layer.tensors[name].mul_(torch.from_numpy(divisors))
    return (*names_before(place), *place.layers)


def names_before(place: Foldable) -> list[str]:
    """The tensors that would be divided."""
    return [] if place.before is None else [part.name for part in place.before.parts]


def before_of(layer: Layer, norm: tuple[nn.Module, Tensor] | None, names: Sequence[str], columns: int) -> Before | None:
    """What may stand before layers of these names. norm: that made the very tensor they see, and what it was given."""
    if norm is not None:
        return _of_norm(layer, *norm)
    for after, found in ((_OUTPUT, _values), (_DOWN, _ups)):
        place, is_after, _ = names[0].partition(f"{after}.weight")
        if is_after and len(names) == 1:
            return found(layer, place + after.rpartition(".")[0] + ".", columns)
    return None


def expert_before(layer: Layer, up: str) -> Before:
    """The ups of an expert, before its down."""
    return Before([Divided(up, layer.tensors[up])])


def tried(layer: Layer, states: Tensor, places: Sequence[_Place]) -> set[int]:
    """Which of the places, by number, can be folded: all that can be together, else each that can be by itself."""
    candidates = [i for i, place in enumerate(places) if place.before is not None]
    expected = layer.run(states)
    if _is_unchanged(layer, states, expected, [places[i] for i in candidates]):
        return set(candidates)
    return {i for i in candidates if _is_unchanged(layer, states, expected, [places[i]])}


def _is_unchanged(layer: Layer, states: Tensor, expected: Tensor, places: Sequence[Foldable]) -> bool:
    """Whether the block computes what it did with half of the columns halved and doubled."""
    kept = {name: layer.tensors[name].clone() for place in places for name in _norms(place)}
    divisors = [_trial(layer, place) for place in places]
    for by, place in zip(divisors, places, strict=True):
        _ = fold(layer, place, by)
    found = layer.run(states)
    for by, place in zip(divisors, places, strict=True):
        _ = fold(layer, place, np.reciprocal(by))
    for name, values in kept.items():
        layer.tensors[name].copy_(values)
    return float((found - expected).abs().max()) <= _TOLERANCE * float(expected.abs().max())


def _trial(layer: Layer, place: Foldable) -> Float32:
    """1 and 2, exact in floating point, in an order without a period, which no other grouping of the columns keeps."""
    assert place.before is not None
    repeats = place.before.repeats
    numbers = np.arange(layer.tensors[place.layers[0]].shape[-1] // repeats.repeats)
    return repeats.spread(np.where(np.bitwise_count(numbers) % 2, 2, 1).astype(np.float32))


def _norms(place: Foldable) -> list[str]:
    """Whose values are not restored to the bit by the way back."""
    return [part.name for part in place.before.parts if part.raised] if place.before is not None else []


def _values(layer: Layer, path: str, columns: int) -> Before | None:
    """Values before the output of attention, [groups * width, ...]: a whole number of heads sees each of them."""
    alone, joined = (layer.tensors.get(f"{path}{name}.weight") for name in (_VALUE, _JOINED))
    if alone is not None:
        return _last_rows(layer, path + _VALUE, len(alone), _repeats(layer, len(alone), columns))
    if joined is None:
        return None
    height = (len(joined) - columns) // 2  # behind as many rows of queries as there are columns, and of keys as values
    return _last_rows(layer, path + _JOINED, height, _repeats(layer, height, columns))


def _repeats(layer: Layer, height: int, columns: int) -> Repeats | None:
    """In which columns values of that height arrive, if each head's width divides them; None where that cannot be."""
    if height == columns:
        return ONCE
    widths = {cast(object, getattr(module, "head_dim", None)) for module in layer.module.modules()} - {None}
    width = widths.pop() if len(widths) == 1 else None
    if type(width) is not int or height < 1 or columns % height or height % width:
        return None
    return Repeats(columns // height, width)


def _ups(layer: Layer, path: str, columns: int) -> Before | None:
    """Ups before a down, by themselves or behind as many gates."""
    for name, parts in ((_UP, 1), (_GATE_UP, 2)):
        weight = layer.tensors.get(f"{path}{name}.weight")
        if weight is not None:
            return _last_rows(layer, path + name, columns, ONCE) if len(weight) == parts * columns else None
    return None


def _last_rows(layer: Layer, path: str, height: int, repeats: Repeats | None) -> Before | None:
    weight, bias = (layer.tensors.get(f"{path}.{kind}") for kind in ("weight", "bias"))
    if weight is None or repeats is None:
        return None
    found = [Divided(f"{path}.weight", weight[-height:])]
    return Before([*found, Divided(f"{path}.bias", bias[-height:])] if bias is not None else found, repeats)


def _of_norm(layer: Layer, norm: nn.Module, given: Tensor) -> Before | None:
    """Its weight, and its bias if it has one; None where no weight makes it give nothing."""
    weight, bias = (cast(nn.Parameter | None, getattr(norm, name, None)) for name in ("weight", "bias"))
    named = {values.data_ptr(): name for name, values in layer.tensors.items()}
    if weight is None or weight.data_ptr() not in named:
        return None
    found = [] if bias is None else [Divided(named[bias.data_ptr()], bias)]
    for raised in (0.0, 1.0):
        if _gives_nothing(norm, [(weight, -raised), *([] if bias is None else [(bias, 0.0)])], given):
            return Before([Divided(named[weight.data_ptr()], weight, raised), *found])
    return None


def _gives_nothing(norm: nn.Module, values: Sequence[tuple[Tensor, float]], given: Tensor) -> bool:
    kept = [parameter.clone() for parameter, _ in values]
    for parameter, value in values:
        parameter.fill_(value)
    is_nothing = not bool(norm(given[:, :1]).any())
    for (parameter, _), before in zip(values, kept, strict=True):
        parameter.copy_(before)
    return is_nothing
