"""Where every tensor of a child will lie, decided before the first is computed."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.safetensors import BITS
from lineal.checkpoint.headers.storage import byte_length, padded
from lineal.checkpoint.reader import ADAPTER_WEIGHTS, FULL_INDEX, FULL_WEIGHTS, Form
from lineal.derivation.canonical import Json

SHARD_BYTES = 5_000_000_000
_ALIGNMENT = 8


@final
@dataclass(frozen=True, slots=True)
class Planned:
    """A tensor to be written."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def byte_length(self) -> int:
        return byte_length(self.dtype, self.elements)

    def leaf(self, data_hash: bytes) -> Leaf:
        """The tensor, once its bytes are known."""
        return Leaf(self.name, self.dtype, self.shape, self.byte_length, data_hash)


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """A planned tensor's place: file and offset in it."""

    planned: Planned
    file: str
    offset: int


@final
@dataclass(frozen=True)
class Layout:
    """Files with their headers, and a slot for every tensor. Files end at a multiple of `alignment`."""

    slots: dict[str, Slot]
    headers: dict[str, bytes]
    index: bytes | None
    alignment: int = 1

    @property
    def file_sizes(self) -> dict[str, int]:
        sizes = {file: len(header) for file, header in self.headers.items()}
        for slot in self.slots.values():
            end = slot.offset + slot.planned.byte_length
            sizes[slot.file] = max(sizes[slot.file], padded(end, self.alignment))
        return sizes


def lay_out(
    tensors: Sequence[Planned],
    form: Form = "full",
    shard_bytes: int = SHARD_BYTES,
    metadata: Mapping[str, str] | None = None,
) -> Layout:
    """Widest dtypes first, then by name, so that every tensor is aligned and no parent's order or sharding shows.

    metadata: for each file's header, beside the format; it is no part of a model's identity.
    """
    ordered = sorted(tensors, key=lambda tensor: (-BITS[tensor.dtype], tensor.name.encode()))
    shards = _shards(ordered, shard_bytes) if form == "full" else [ordered]
    whole = FULL_WEIGHTS if form == "full" else ADAPTER_WEIGHTS
    count = len(shards)
    names = [whole] if count == 1 else [f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
    slots: dict[str, Slot] = {}
    headers: dict[str, bytes] = {}
    for file, shard in zip(names, shards, strict=True):
        headers[file] = _header(shard, metadata or {})
        offset = len(headers[file])
        for tensor in shard:
            slots[tensor.name] = Slot(tensor, file, offset)
            offset += tensor.byte_length
    return Layout(slots, headers, _index(slots) if count > 1 else None)


def index_name(layout: Layout) -> str | None:
    return FULL_INDEX if layout.index is not None else None


def _shards(ordered: Sequence[Planned], shard_bytes: int) -> list[list[Planned]]:
    shards: list[list[Planned]] = [[]]
    filled = 0
    for tensor in ordered:
        if shards[-1] and filled + tensor.byte_length > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(tensor)
        filled += tensor.byte_length
    return shards


def _header(tensors: Sequence[Planned], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Json] = {"__metadata__": {"format": "pt", **metadata}}
    offset = 0
    for tensor in tensors:
        end = offset + tensor.byte_length
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _index(slots: dict[str, Slot]) -> bytes:
    total = sum(slot.planned.byte_length for slot in slots.values())
    weight_map = {name: slots[name].file for name in sorted(slots)}
    return (json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=2) + "\n").encode()
