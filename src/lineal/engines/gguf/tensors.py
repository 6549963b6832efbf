"""The tensors of a GGUF under transformers' names."""

import math
from dataclasses import dataclass, replace
from typing import final

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.layouts.turn import Turn, unpaired
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.metadata_keys import dimensions_of_gguf
from lineal.engines.gguf.rotary_keys import known_tensors
from lineal.engines.gguf.stored import Stored, stored_tensors
from lineal.errors import CheckpointError
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class GgufTensor:
    """A published tensor in a GGUF. turn: from the order in which its elements are stored; added: to its values."""

    spec: TensorSpec
    turn: Turn | None = None
    added: float = 0.0


def published_tensors(checkpoint: Checkpoint) -> dict[str, GgufTensor]:
    """transformers' name -> where it lies; experts are ranges of bytes of the tensor that has all of them."""
    found: dict[str, GgufTensor] = {}
    for stored in checked_tensors(checkpoint):
        spec = checkpoint[stored.name]
        for place, name in enumerate(stored.published):
            found[name] = GgufTensor(_part(checkpoint, stored, spec, place), _turn(stored), -stored.raised)
    return found


def checked_tensors(checkpoint: Checkpoint) -> list[Stored]:
    """What each of its tensors is; what is missing, left over or of another shape is refused."""
    row = architecture_of(checkpoint)
    found = stored_tensors(row, dimensions_of_gguf(row, checkpoint))
    for unknown in sorted(checkpoint.keys() - {*(one.name for one in found), *known_tensors(row.rotary)}):
        raise CheckpointError(f"{checkpoint.path}: {quoted(unknown)} is not a tensor of its architecture")
    for stored in found:
        if stored.name not in checkpoint:
            raise CheckpointError(f"{checkpoint.path}: has no {quoted(stored.name)}")
        shape = checkpoint[stored.name].shape
        if bare(shape) != bare(stored.shape):
            raise CheckpointError(
                f"{checkpoint.path}: {quoted(stored.name)} is {list(shape)}, its keys say {list(stored.shape)}"
            )
    return found


def bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without the 1s before it: a matrix of one row has been written as a vector, too."""
    return next((shape[place:] for place, size in enumerate(shape) if size != 1), ())


def _part(checkpoint: Checkpoint, stored: Stored, spec: TensorSpec, place: int) -> TensorSpec:
    if not stored.is_stack:
        return spec if spec.shape == stored.part else replace(spec, shape=stored.part)
    block = BLOCKS.get(spec.dtype, (1, 0))[0]
    if math.prod(stored.part) % block:
        raise CheckpointError(
            f"{checkpoint.path}: {quoted(stored.name)} has experts that are no whole blocks of {spec.dtype}"
        )
    length = spec.byte_length // len(stored.published)
    return TensorSpec(stored.published[place], spec.dtype, stored.part, spec.path, spec.offset + place * length, length)


def _turn(stored: Stored) -> Turn | None:
    return None if stored.paired is None else unpaired(stored.paired, math.prod(stored.part[1:]))
