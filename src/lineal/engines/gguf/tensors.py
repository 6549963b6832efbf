"""The tensors of a GGUF under transformers' names."""

import math
from collections.abc import Iterator

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.turn import unpaired
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.decoded import Float32, decoded
from lineal.engines.gguf.llama_keys import ROTARY_DIVISORS
from lineal.errors import CheckpointError
from lineal.shown import quoted


def is_tied(checkpoint: Checkpoint) -> bool:
    """Whether the embedding makes the logits, too."""
    return "output.weight" not in checkpoint


def gguf_weights(checkpoint: Checkpoint) -> Iterator[tuple[str, Float32]]:
    """transformers' name of each tensor and its values."""
    for name, (spec, head_size) in checked_tensors(checkpoint).items():
        values = decoded(checkpoint, spec)
        if head_size is not None:
            turn = unpaired(head_size, math.prod(values.shape[1:]))
            values = turn.turned(values.reshape(-1)).reshape(values.shape)
        yield name, values


def checked_tensors(checkpoint: Checkpoint) -> dict[str, tuple[TensorSpec, int | None]]:
    """transformers' name -> the stored tensor, and where its rows are turned the rows of a head.

    What is missing, left over or of another shape is refused.
    """
    architecture, tied = architecture_of(checkpoint), is_tied(checkpoint)
    numbers = architecture.of_gguf(checkpoint)
    names, shapes = architecture.names(numbers, tied=tied), architecture.tensors(numbers, tied=tied)
    for unknown in sorted(checkpoint.keys() - {*names.values(), ROTARY_DIVISORS}):
        raise CheckpointError(f"{checkpoint.path}: {quoted(unknown)} is not a tensor of its architecture")
    found: dict[str, tuple[TensorSpec, int | None]] = {}
    for name, shape in shapes.items():
        if names[name] not in checkpoint:
            raise CheckpointError(f"{checkpoint.path}: has no {quoted(names[name])}")
        spec = checkpoint[names[name]]
        if spec.shape != shape:
            is_shape = list(spec.shape)
            raise CheckpointError(f"{checkpoint.path}: {quoted(names[name])} is {is_shape}, its keys say {list(shape)}")
        found[name] = spec, numbers.head_size if name.endswith(architecture.turned) else None
    return found
