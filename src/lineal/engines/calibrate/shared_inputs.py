"""Which linear layers of a block see the same vectors, found by running it on one sample and watching.

A linear layer is what has a matrix for its weight: routers are no nn.Linear.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from lineal.engines.calibrate.experts import DOWN, GATE_UP, Experts, experts_of
from lineal.engines.calibrate.folding import Before, before_of, expert_before, tried
from lineal.engines.calibrate.layer import Layer
from lineal.errors import CheckpointError
from lineal.methods.calibrated import SharedInput
from lineal.shown import listed, quoted


@final
@dataclass(frozen=True, eq=False)
class Place:
    """Where the inputs of some layers are seen. module: a linear layer, or experts; before: what makes the inputs."""

    shared: SharedInput
    module: nn.Module | Experts
    parameter: str = ""
    before: Before | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        return self.shared.layers


@final
@dataclass
class _Seen:
    """What one sample met. called: linear layers and mixtures with what they were given, in order; made: by norms."""

    called: list[tuple[str, nn.Module | Experts, Tensor]] = field(default_factory=list[Any])
    made: list[tuple[nn.Module, Tensor, Tensor]] = field(default_factory=list[Any])


@torch.inference_mode()
def places_of(layer: Layer, linear: Mapping[str, object], states: Tensor, *, folds: bool) -> list[Place]:
    """Places for all of the block's weights that are `linear`, by published name; states: of one sample."""
    mixtures = experts_of(layer.module, layer.model)
    seen = _watch(layer, mixtures, states)
    found: list[Place] = []
    for inputs, members in _together(seen.called):
        first = members[0][1]
        if isinstance(first, Experts):
            found += _of_experts(layer, first)
            continue
        names = [name for path, _ in members for name in layer.parts[f"{path}.weight"]]
        chosen = tuple(name for name in names if name in linear)
        if not chosen:
            continue
        norm = next(((module, given) for module, given, out in seen.made if out is inputs), None)
        before = before_of(layer, norm, chosen, inputs.shape[-1]) if len(chosen) == len(names) else None
        found.append(Place(SharedInput(chosen, inputs.shape[-1]), first, before=before))
    missing = linear.keys() - {name for place in found for name in place.shared.layers}
    if missing:
        raise CheckpointError(
            f"{layer.model}: block {layer.index}: no text goes through {listed(sorted(map(quoted, missing)))} as "
            "through a linear layer, so nothing can be calibrated there"
        )
    can = tried(layer, states, found) if folds else set[int]()
    return [_folding(place, can=number in can) for number, place in enumerate(found)]


def _folding(place: Place, *, can: bool) -> Place:
    if place.before is None or not can:
        return replace(place, before=None)
    return replace(place, shared=replace(place.shared, foldable=True, repeats=place.before.repeats))


def _watch(layer: Layer, mixtures: Sequence[Experts], states: Tensor) -> _Seen:
    seen, inside = _Seen(), {id(mixture.module): mixture for mixture in mixtures}

    def called(path: str, module: nn.Module | Experts) -> Callable[..., None]:
        return lambda _, given: seen.called.append((path, module, given[0]))

    def made(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen.made.append((module, given[0], out))

    with ExitStack() as hooks:
        for path, module in layer.module.named_modules():
            weight = getattr(module, "weight", None)
            if id(module) in inside:
                handle = module.register_forward_pre_hook(
                    _checking(called(path, inside[id(module)]), inside[id(module)])
                )
            elif isinstance(weight, nn.Parameter) and weight.ndim == 2:
                handle = module.register_forward_pre_hook(called(path, module))
            elif isinstance(weight, nn.Parameter) and weight.ndim == 1:
                handle = module.register_forward_hook(cast(Any, made))
            else:
                continue
            _ = hooks.callback(handle.remove)
        _ = layer.run(states)
    return seen


def _checking(called: Callable[..., None], mixture: Experts) -> Callable[..., None]:
    def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        mixture.check(*given)
        called(module, given)

    return hook


def _together(
    called: Sequence[tuple[str, nn.Module | Experts, Tensor]],
) -> list[tuple[Tensor, list[tuple[str, nn.Module | Experts]]]]:
    """The modules that were given the very same tensor; a mixture is by itself."""
    groups: list[tuple[Tensor, list[tuple[str, nn.Module | Experts]]]] = []
    for path, module, inputs in called:
        same = next((g for g in groups if g[0] is inputs and not isinstance(module, Experts)), None)
        if same is None or isinstance(same[1][0][1], Experts):
            groups.append((inputs, [(path, module)]))
        else:
            same[1].append((path, module))
    return groups


def _of_experts(layer: Layer, mixture: Experts) -> list[Place]:
    """Two places an expert: what its gate and up see, what its down sees."""
    gate_ups, downs = (layer.parts[f"{mixture.path}.{name}"] for name in (GATE_UP, DOWN))
    width, height = (layer.tensors[names[0]].shape[-1] for names in (gate_ups, downs))
    found: list[Place] = []
    for expert in range(mixture.count):
        above, down = tuple(gate_ups[2 * expert : 2 * expert + 2]), tuple(downs[expert : expert + 1])
        before = expert_before(layer, above[1])
        found.append(Place(SharedInput(above, width, expert), mixture, GATE_UP))
        found.append(Place(SharedInput(down, height, expert), mixture, DOWN, before))
    return found
