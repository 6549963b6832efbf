"""Mixtures whose experts are held in one tensor: run one after the other, so that each one's inputs can be seen."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lineal.errors import CheckpointError

GATE_UP, DOWN = "gate_up_proj", "down_proj"
_PROBED_TOKENS = 64
_TOLERANCE = 1e-4

Seen: TypeAlias = Callable[[int, str, Tensor], None]
"""Is shown an expert, which of its two parameters, and what that one multiplies, [tokens, columns]."""


@final
class Experts:
    """Gates and ups of all experts in one parameter [experts, 2 * height, width], downs in another.

    Raises CheckpointError for a module that holds or computes experts in another way.
    """

    def __init__(self, path: str, module: nn.Module, model: str) -> None:
        self.path, self.module, self._model = path, module, model
        kind = type(module).__name__
        parameters = dict(module.named_parameters(recurse=False))
        said = tuple(getattr(module, name, None) for name in ("is_transposed", "is_concatenated", "has_gate"))
        if parameters.keys() != {GATE_UP, DOWN} or said != (False, True, True):
            raise CheckpointError(
                f"{model}: how the experts of {kind} are held is not known to the calibrated engine, which needs gates "
                "above ups in one tensor and downs in another, without biases"
            )
        self.count = parameters[DOWN].shape[0]

    @contextmanager
    def shown_to(self, seen: Seen | None) -> Generator[None]:
        """Inside, the experts are run here, and what they multiply is shown."""

        def forward(states: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
            return self._run(states, chosen, weights, seen)

        self.module.forward = forward
        try:
            yield
        finally:
            del self.module.forward  # the class's own comes to light again

    def check(self, states: Tensor, chosen: Tensor, weights: Tensor) -> None:
        """Refuse a module that computes something else than what is computed here."""
        some = states[:_PROBED_TOKENS], chosen[:_PROBED_TOKENS], weights[:_PROBED_TOKENS]
        theirs = cast(Tensor, type(self.module).forward(self.module, *some))
        ours = self._run(*some, None)
        if float((ours - theirs).abs().max()) > _TOLERANCE * float(theirs.abs().max()):
            raise CheckpointError(
                f"{self._model}: the experts of {type(self.module).__name__} compute something else than the "
                "activation of gates times ups, which is all that the calibrated engine knows"
            )

    def _run(self, states: Tensor, chosen: Tensor, weights: Tensor, seen: Seen | None) -> Tensor:
        """states: [tokens, width]; chosen, weights: [tokens, experts a token]."""
        module, out = cast(Any, self.module), torch.zeros_like(states)
        for expert in range(self.count):
            tokens, places = torch.where(chosen == expert)
            if len(tokens) == 0:
                continue
            inputs = states[tokens]
            gates, ups = linear(inputs, module.gate_up_proj[expert]).chunk(2, -1)
            gated = module.act_fn(gates) * ups
            if seen is not None:
                seen(expert, GATE_UP, inputs)
                seen(expert, DOWN, gated)
            made = linear(gated, module.down_proj[expert]) * weights[tokens, places, None]
            out.index_add_(0, tokens, made)
        return out


def experts_of(module: nn.Module, model: str) -> list[Experts]:
    """The mixtures in a block."""
    return [
        Experts(path, found, model)
        for path, found in module.named_modules()
        if any(parameter.ndim == 3 for parameter in found.parameters(recurse=False)) and "expert" in path.lower()
    ]
