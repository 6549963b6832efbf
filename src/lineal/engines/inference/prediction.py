"""A model's logits, a bounded number of positions at a time: those of a whole batch never stand side by side.

The layers run once over a batch. For the logits of some positions the model's own forward pass runs again with a
decoder that hands out the hidden states of those positions. So whatever a model does with its logits, such as capping
or scaling them, it does here too.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast, final

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

_PROBED_POSITIONS = 7
_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.05}
"""How far logits may differ, in parts of the largest: sums of other lengths are rounded otherwise."""


@final
class Predictor:
    """Logits of chosen positions, at most `positions` at once, in float32.

    in_parts: whether the head can be run by itself, which a probe decides; else all logits of a batch are made at once.
    """

    def __init__(self, model: PreTrainedModel, positions: int) -> None:
        self._model, self._positions = model, positions
        self._decoder = _decoder_of(model)
        self.in_parts = self._decoder is not None

    def logits(self, inputs: Tensor, chosen: Tensor) -> Iterator[Tensor]:
        """Logits [positions, vocabulary] of the places where `chosen` is true, in order; both are [batch, tokens]."""
        if self._decoder is None:
            rows = self._model(input_ids=inputs, use_cache=False).logits[chosen]
            yield from (part.float() for part in rows.split(self._positions))
            return
        output = self._decoder(input_ids=inputs, use_cache=False)
        for states in output.last_hidden_state[chosen].split(self._positions):
            yield _head(self._model, self._decoder, output, states[None]).float()


def vocabulary_size(model: PreTrainedModel) -> int:
    return cast(int, model.config.get_text_config().vocab_size)


@torch.inference_mode()
def _decoder_of(model: PreTrainedModel) -> nn.Module | None:
    """The part of a model behind whose hidden states nothing but the head stands; None where none is found."""
    probe = (torch.arange(_PROBED_POSITIONS) % vocabulary_size(model))[None]
    whole = model(input_ids=probe, use_cache=False).logits[0].float()
    bound = _TOLERANCE[model.dtype] * float(whole.abs().max())
    for candidate in _candidates(model):
        try:
            output = candidate(input_ids=probe, use_cache=False)
            parts = [_head(model, candidate, output, part) for part in output.last_hidden_state.split(3, 1)]
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError, KeyError):
            continue  # not the module that is looked for
        found = torch.cat(parts).float()
        if found.shape == whole.shape and float((found - whole).abs().max()) <= bound:
            return candidate
    return None


def _candidates(model: PreTrainedModel) -> list[nn.Module]:
    """What the model calls its base or its decoder; some name neither rightly, so its parts are tried, too."""
    found = [model.base_model, cast(Callable[[], nn.Module], model.get_decoder)(), *model.children()]
    return [module for module in dict.fromkeys(found) if module is not model]


def _head(model: PreTrainedModel, decoder: nn.Module, output: Any, states: Tensor) -> Tensor:
    """Logits [positions, vocabulary] of hidden states [1, positions, width]."""
    with _handing_out(decoder, type(output)(last_hidden_state=states)):
        return model(input_ids=states.new_zeros(states.shape[:2], dtype=torch.long), use_cache=False).logits[0]


@contextmanager
def _handing_out(module: nn.Module, output: Any) -> Generator[None]:
    """The module gives this output, whatever it is asked."""
    module.forward = lambda *_inputs, **_named: output
    try:
        yield
    finally:
        del module.forward  # the class's own comes to light again
