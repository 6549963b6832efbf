"""GGUF files for tests, by independent code: the gguf library, or byte by byte where nothing honest is wanted."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

from tests.builders import Array

Typed = tuple[GGUFValueType, Any] | tuple[GGUFValueType, Any, GGUFValueType]
"""A value with its kind, and for an array the kind of its items."""

U32, F32, TEXT, LIST = GGUFValueType.UINT32, GGUFValueType.FLOAT32, GGUFValueType.STRING, GGUFValueType.ARRAY

METADATA: Mapping[str, Typed] = {
    "general.architecture": (TEXT, "llama"),
    "general.name": (TEXT, "Tiny"),
    "general.file_type": (U32, 7),
    "llama.block_count": (U32, 1),
    "llama.rope.freq_base": (F32, 10000.0),
    "tokenizer.ggml.tokens": (LIST, ["<s>", "é", ""], TEXT),
    "tokenizer.ggml.scores": (LIST, [0.0, -1.5, 2.0], F32),
    "tokenizer.ggml.add_bos_token": (GGUFValueType.BOOL, True),
}


def write_gguf(
    path: Path,
    tensors: Mapping[str, tuple[Array, str]],
    metadata: Mapping[str, Typed] = METADATA,
    *,
    alignment: int | None = None,
) -> Path:
    """A GGUF by the gguf library: name -> (float32 values, ggml type), in this order; keys likewise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, metadata["general.architecture"][1])
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    for key, (kind, content, *items) in metadata.items():
        if key != "general.architecture":
            writer.add_key_value(key, content, kind, *items)
    for name, (values, kind) in tensors.items():
        stored = gguf.quants.quantize(values, GGMLQuantizationType[kind])
        writer.add_tensor(name, stored, raw_dtype=GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_gguf(path: Path, seed: int = 1, metadata: Mapping[str, Typed] = METADATA, **options: Any) -> Path:
    """Three small tensors in three types."""
    return write_gguf(path, random_values(seed), metadata, **options)


def random_values(seed: int) -> dict[str, tuple[Array, str]]:
    generator = np.random.default_rng(seed)

    def values(*shape: int) -> Array:
        return generator.standard_normal(shape).astype(np.float32)

    return {
        "token_embd.weight": (values(3, 64), "Q8_0"),
        "blk.0.ffn_up.weight": (values(5, 32), "Q4_0"),
        "output_norm.weight": (values(7), "F32"),
    }


def text(content: str | bytes) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str | bytes, kind: int, content: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + content


def tensor(name: str | bytes, dimensions: Sequence[int], kind: int, offset: int) -> bytes:
    """dimensions: in GGUF's order, the row length first."""
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text(name) + shape + struct.pack("<IQ", kind, offset)


def raw_gguf(
    pairs: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
) -> bytes:
    """The bytes of a file whose parts are as given, honest or not."""
    head = magic + struct.pack("<IQQ", version, *(counts or (len(tensors), len(pairs)))) + b"".join((*pairs, *tensors))
    return head + bytes(-len(head) % alignment) + data


def as_the_library_reads(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """name -> (type, shape in numpy's order, offset, bytes), and key -> (kinds, content)."""
    reader = GGUFReader(path)
    tensors = {
        t.name: (t.tensor_type.name, tuple(int(d) for d in t.shape)[::-1], t.data_offset, t.data.tobytes())
        for t in reader.tensors
    }
    fields = {
        key: ([int(kind) for kind in field.types], [bytes(field.parts[place]) for place in field.data])
        for key, field in reader.fields.items()
        if not key.startswith("GGUF.")
    }
    return tensors, fields
