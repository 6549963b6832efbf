"""What a GGUF's keys of a tokenizer hold, each of the type that it must have."""

from collections.abc import Sequence
from typing import cast

from lineal.checkpoint.headers.gguf_metadata import Scalar
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError


def text_of(checkpoint: Checkpoint, key: str) -> str:
    value = checkpoint.metadata.get(key)
    if value is None or not isinstance(value.content, str):
        raise CheckpointError(f"{checkpoint.path}: {key} must be a text, got {value}")
    return value.content


def strings_of(checkpoint: Checkpoint, key: str) -> tuple[str, ...]:
    return cast(tuple[str, ...], _items(checkpoint, key, "STRING"))


def integers_of(checkpoint: Checkpoint, key: str) -> tuple[int, ...]:
    return cast(tuple[int, ...], _items(checkpoint, key, "INT32"))


def numbers_of(checkpoint: Checkpoint, key: str) -> tuple[float, ...]:
    return cast(tuple[float, ...], _items(checkpoint, key, "FLOAT32"))


def flag_of(checkpoint: Checkpoint, key: str, *, default: bool) -> bool:
    value = checkpoint.metadata.get(key)
    return default if value is None else bool(value.content)


def _items(checkpoint: Checkpoint, key: str, kind: str) -> Sequence[Scalar]:
    value = checkpoint.metadata.get(key)
    if value is None or value.items is None or value.items.name != kind:
        raise CheckpointError(f"{checkpoint.path}: {key} must be an array of {kind}, got {str(value)[:80]}")
    return cast(tuple[Scalar, ...], value.content)
