"""The key-value pairs of a GGUF: typed values, and which of them say what the model is."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast, final

from blake3 import blake3

from lineal.errors import CheckpointError
from lineal.shown import quoted

if TYPE_CHECKING:
    from gguf import GGUFValueType  # loads numpy, which those who only read records do without

Scalar: TypeAlias = int | float | bool | str

FORMATS: Mapping[str, str] = {
    "UINT8": "B",
    "INT8": "b",
    "UINT16": "H",
    "INT16": "h",
    "UINT32": "I",
    "INT32": "i",
    "FLOAT32": "f",
    "BOOL": "?",
    "UINT64": "Q",
    "INT64": "q",
    "FLOAT64": "d",
}
"""How `struct` calls each kind but STRING and ARRAY."""

ALIGNMENT = "general.alignment"
ARCHITECTURE = "general.architecture"
DEFAULT_ALIGNMENT = 32
_ALIGNMENTS = tuple(1 << bit for bit in range(21))

_NOT_MEANING = re.compile(
    r"general\.(name|author|version|organization|finetune|basename|description|quantized_by|size_label"
    r"|licen[cs]e(\..+)?|url|doi|uuid|repo_url|source\..+|base_model\..+|datasets?(\..+)?|tags|languages"
    r"|file_type|alignment)"
    r"|split\..+|quantize\.imatrix\..+"
)
"""Who made the file, from what and how it is laid out. What is not known to be that counts."""


@final
@dataclass(frozen=True)
class Value:
    """One typed value; `items` is the kind of an array's items. Strings hold what is not UTF-8 as surrogates."""

    kind: "GGUFValueType"
    content: Scalar | tuple[Scalar, ...]
    items: "GGUFValueType | None" = None

    def __post_init__(self) -> None:
        is_array = self.kind.name == "ARRAY"
        if is_array != isinstance(self.content, tuple) or is_array != (self.items is not None):
            raise CheckpointError(f"an array has a tuple and the kind of its items, got {str(self)[:80]}")
        if self.items is not None and self.items.name == "ARRAY":
            raise CheckpointError("arrays of arrays are not read by anything; a GGUF's value cannot be one")

    @property
    def content_hash(self) -> bytes:
        """Of the kind, an array's kind of items, and the content as a GGUF stores it."""
        kinds = struct.pack("<I", self.kind) if self.items is None else struct.pack("<2I", self.kind, self.items)
        return blake3(kinds + self._stored()).digest()

    def _stored(self) -> bytes:
        if self.items is None:
            return _stored(self.kind.name, (cast(Scalar, self.content),))
        items = cast(tuple[Scalar, ...], self.content)
        return struct.pack("<Q", len(items)) + _stored(self.items.name, items)


Metadata: TypeAlias = Mapping[str, Value]


def gguf_package(metadata: Metadata) -> dict[str, bytes]:
    """The entries of the model's identity: key -> content hash, of the keys that say what the model is."""
    return {key: value.content_hash for key, value in metadata.items() if not _NOT_MEANING.fullmatch(key)}


def alignment_of(metadata: Metadata) -> int:
    """What the offsets of tensors are multiples of, in bytes."""
    value = metadata.get(ALIGNMENT)
    if value is None:
        return DEFAULT_ALIGNMENT
    found = value.content
    if value.kind.name == "UINT32" and isinstance(found, int) and found in _ALIGNMENTS:
        return found
    raise CheckpointError(f"{ALIGNMENT} is {quoted(found)}; a UINT32 is needed, a power of two up to {_ALIGNMENTS[-1]}")


def _stored(kind: str, items: tuple[Scalar, ...]) -> bytes:
    if kind == "STRING":
        encoded = [cast(str, item).encode(errors="surrogateescape") for item in items]
        return b"".join(part for text in encoded for part in (len(text).to_bytes(8, "little"), text))
    try:
        return struct.pack(f"<{len(items)}{FORMATS[kind]}", *items)
    except (struct.error, OverflowError) as error:
        raise CheckpointError(f"{str(items)[:80]} cannot be stored as {kind}: {error}") from None
