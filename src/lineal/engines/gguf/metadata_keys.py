"""The numbers of a model as the keys of a GGUF, and back, by a row of the table of architectures."""

import math
from typing import Any

from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.config_keys import config_of
from lineal.engines.gguf.dimensions import Dimensions
from lineal.engines.gguf.faults import config_faults
from lineal.engines.gguf.rotary_keys import known_keys, rotary_keys, rotary_of_gguf
from lineal.engines.gguf.row import MOST, Architecture, Key
from lineal.errors import CheckpointError
from lineal.shown import quoted

_ROTARY_SIZE = "rope.dimension_count"
_EMBEDDING, _HEAD = "token_embd.weight", "output.weight"


def metadata_of(row: Architecture, numbers: Dimensions) -> dict[str, Value]:
    """The keys of the architecture, as llama.cpp's converter writes them for a config with a head_dim."""
    found: dict[str, Value] = {_ROTARY_SIZE: Value(GGUFValueType.UINT32, numbers.rotary_size)}
    for key in row.keys:
        value = numbers.value(key.field)
        value = key.none if value is None else value
        kind = GGUFValueType.FLOAT32 if key.real else GGUFValueType.UINT32
        found |= {name: Value(kind, value) for name in key.gguf if value is not None}
    return {f"{row.name}.{key}": value for key, value in {**found, **rotary_keys(numbers.rotary)}.items()}


def dimensions_of_gguf(row: Architecture, checkpoint: Checkpoint) -> Dimensions:
    """Its numbers; a key that is not understood is refused, and what could not have been written of any config."""
    metadata, place, prefix = checkpoint.metadata, checkpoint.path, f"{row.name}."
    known = {_ROTARY_SIZE, *known_keys(row.rotary), *(name for key in row.keys for name in key.gguf)}
    for name in sorted(metadata.keys()):
        if name.startswith(prefix) and name.removeprefix(prefix) not in known:
            raise CheckpointError(f"{place}: the key {quoted(name)} is not understood")
    found: dict[str, Any] = {}
    for key in row.keys:
        if key.field != "head_size":
            found[key.field] = _number(row, checkpoint, key, found)
    if found["blocks"] > len(checkpoint):
        raise CheckpointError(f"{place}: says it has {found['blocks']} blocks and holds {len(checkpoint)} tensors")
    head_size = _head_size(row, checkpoint, found["width"] // found["heads"])
    rotary = rotary_of_gguf(checkpoint, row.name, row.rotary, head_size, found["context"])
    tied = row.head == "tied" or (row.head == "either" and _HEAD not in checkpoint)
    biases = frozenset(key for key, tensor in row.biases.items() if tensor in checkpoint)
    numbers = Dimensions(**found, head_size=head_size, rotary=rotary, tied=tied, biases=biases)
    for fault in config_faults(row, config_of(row, numbers), tied=tied):
        raise CheckpointError(f"{place}: {fault}")
    return numbers


def _number(row: Architecture, checkpoint: Checkpoint, key: Key, found: dict[str, Any]) -> Any:
    """What the GGUF says, or llama.cpp takes where it is silent."""
    name = f"{row.name}.{key.gguf[0]}"
    value = checkpoint.metadata[name].content if name in checkpoint.metadata else None
    if value is None and key.field == "kv_heads":
        return found["heads"]
    if value is None and key.field == "vocabulary" and _EMBEDDING in checkpoint:
        return checkpoint[_EMBEDDING].shape[0]
    if key.optional and (value is None or (key.none is not None and value == key.none)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise CheckpointError(f"{checkpoint.path}: {name} must be a positive number, got {quoted(value)}")
    if not key.real and not isinstance(value, int):
        raise CheckpointError(f"{checkpoint.path}: {name} must be a whole number, got {quoted(value)}")
    if key.field == "experts" and value > MOST[key.field]:
        raise CheckpointError(f"{checkpoint.path}: {name} is {value}; llama.cpp loads at most {MOST[key.field]}")
    return value


def _head_size(row: Architecture, checkpoint: Checkpoint, otherwise: int) -> int:
    """One size of keys and values, and where whole heads are turned of what is turned of them."""
    key = next(key for key in row.keys if key.field == "head_size")
    names = (*key.gguf, *(() if row.rotary.partial else (_ROTARY_SIZE,)))
    there = [Key(key.field, key.config, (name,)) for name in names if f"{row.name}.{name}" in checkpoint.metadata]
    sizes = {_number(row, checkpoint, one, {}) for one in there} or {otherwise}
    if len(sizes) > 1:
        raise CheckpointError(f"{checkpoint.path}: keys, values and rotary embeddings differ in size: {sorted(sizes)}")
    return sizes.pop()
