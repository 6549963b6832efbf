"""One decoder layer with its weights in memory, under published names; everything else stays on disk."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from lineal.checkpoint.layouts.storing import StoredTensor
from lineal.derivation.canonical import Json
from lineal.engines.calibrate.decoder import Call, Decoder, put
from lineal.engines.calibrate.weights_in_memory import BytesRead, Taker, into, read_values
from lineal.errors import CheckpointError


@final
@dataclass(frozen=True)
class Layer:
    """tensors: published name -> its values, views of the module's parameters; parts: a parameter's path -> the
    published names of what stands in it, one after the other; notes: what was read for each tensor; dtypes: what the
    parent has each in."""

    module: nn.Module
    index: int
    call: Call
    tensors: Mapping[str, Tensor]
    parts: Mapping[str, Sequence[str]]
    notes: Mapping[str, Json]
    dtypes: Mapping[str, str]
    model: str

    def run(self, states: Tensor) -> Tensor:
        """Hidden states behind it, [samples, tokens, width]."""
        given = cast(object, self.module(states, *self.call.given, **self.call.named))
        found = cast(tuple[object, ...], given)[0] if isinstance(given, tuple) else given
        if not isinstance(found, Tensor) or found.shape != states.shape:
            raise CheckpointError(f"{self.model}: block {self.index} does not make hidden states of hidden states")
        return found


def load_layer(
    decoder: Decoder, index: int, call: Call, *, threads: int | None = None, bytes_read: BytesRead | None = None
) -> Layer:
    """Read the weights of one layer."""
    module = decoder.layers[index]
    tensors: dict[str, Tensor] = {}
    takers: dict[str, Taker] = {}
    parts: dict[str, Sequence[str]] = {}
    turned: list[tuple[Tensor, StoredTensor]] = []
    for path, empty in _state(module).items():
        stored = decoder.stored(index, path, tuple(empty.shape))
        values = torch.empty(stored.shape)
        flat, start = values.view(-1), 0
        for name in stored.parts:
            shape = decoder.source[name].shape
            part = flat[start : start + math.prod(shape)]
            start += part.numel()
            takers[name] = into(part.numpy())
            tensors[name] = part.view(shape)
        parts[path] = stored.parts
        if stored.turn is not None:
            turned.append((values, stored))
        put(module, path, values)
    dtypes = {name: decoder.source[name].dtype for name in takers}
    notes = read_values(decoder.source, takers, threads=threads, bytes_read=bytes_read)
    for values, stored in turned:
        _turn(values, stored)
    return Layer(module, index, call, tensors, parts, notes, dtypes, decoder.source.name)


def unload_layer(layer: Layer) -> None:
    """Forget the weights."""
    for path, values in _state(layer.module).items():
        put(layer.module, path, torch.empty(values.shape, device="meta"))


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Its parameters and persistent buffers by path."""
    return {path: cast(Tensor, value) for path, value in cast(Any, module).state_dict(keep_vars=True).items()}


def _turn(values: Tensor, stored: StoredTensor) -> None:
    assert stored.turn is not None
    values.view(-1).copy_(torch.from_numpy(stored.turn.turned(values.view(-1).numpy())))
