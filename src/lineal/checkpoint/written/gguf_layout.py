"""Where every tensor of a GGUF will lie; the container's bytes are written by the gguf library."""

import re
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from lineal.checkpoint.headers.gguf import LARGEST_RANK
from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE, Metadata, alignment_of
from lineal.checkpoint.headers.storage import BLOCKS, padded
from lineal.checkpoint.written.layout import Layout, Planned, Slot
from lineal.errors import CheckpointError
from lineal.shown import quoted

LONGEST_NAME = 63
"""Bytes in a tensor's name: GGML_MAX_NAME less its final zero."""


def lay_out_gguf(tensors: Sequence[Planned], metadata: Metadata, file: str) -> Layout:
    """Tensors by name, numbers in it by value, so that blocks follow each other; keys by name, architecture first."""
    ordered = sorted(tensors, key=lambda tensor: _natural(tensor.name))
    for tensor in ordered:
        _check(tensor)
    for tensor, after in pairwise(ordered):
        if tensor.name == after.name:
            raise CheckpointError(f"{file}: {quoted(tensor.name)} is planned twice")
    alignment = alignment_of(metadata)
    header = _header(ordered, metadata, alignment)
    slots: dict[str, Slot] = {}
    offset = len(header)
    for tensor in ordered:
        slots[tensor.name] = Slot(tensor, file, offset)
        offset += padded(tensor.byte_length, alignment)
    return Layout(slots, {file: header}, None, alignment)


def _natural(name: str) -> tuple[tuple[Any, ...], str]:
    """Text and numbers in turn; then the name itself, for 1 and 01 are one number."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def _check(tensor: Planned) -> None:
    block = BLOCKS.get(tensor.dtype, (1, 0))[0]
    if tensor.dtype not in GGMLQuantizationType.__members__:
        raise CheckpointError(f"{quoted(tensor.name)}: GGUF has no type {quoted(tensor.dtype)}")
    if not 1 <= len(tensor.shape) <= LARGEST_RANK or tensor.shape[-1] % block:
        raise CheckpointError(
            f"{quoted(tensor.name)}: {list(tensor.shape)} as {tensor.dtype}: "
            f"1 to {LARGEST_RANK} dimensions are needed, the last a multiple of {block}"
        )
    if not 0 < len(tensor.name.encode()) <= LONGEST_NAME:
        raise CheckpointError(f"{quoted(tensor.name)}: a name in a GGUF has 1 to {LONGEST_NAME} bytes")


def _raw(content: Any) -> Any:
    """Texts as their bytes, which need not be UTF-8: those of another GGUF are handed on as they are."""
    if isinstance(content, tuple):
        return [_raw(item) for item in cast(tuple[Any, ...], content)]
    return content.encode(errors="surrogateescape") if isinstance(content, str) else content


def _header(tensors: Sequence[Planned], metadata: Metadata, alignment: int) -> bytes:
    """Everything before the first tensor's bytes, padding included."""
    architecture = metadata.get(ARCHITECTURE)
    if architecture is None or architecture.kind.name != "STRING" or not architecture.content:
        raise CheckpointError(f"a GGUF needs {ARCHITECTURE}, a string; it has {architecture}")
    with TemporaryDirectory() as folder:
        writer = GGUFWriter(Path(folder, "header"), str(architecture.content))
        writer.data_alignment = alignment
        for key in sorted(metadata.keys() - {ARCHITECTURE}, key=str.encode):
            value = metadata[key]
            writer.add_key_value(key, _raw(value.content), value.kind, value.items)
        for tensor in tensors:
            kind = GGMLQuantizationType[tensor.dtype]
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.void), tensor.byte_length, kind)
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
        except (ValueError, TypeError, AttributeError, struct.error) as error:
            raise CheckpointError(f"the metadata cannot be written as a GGUF: {error}") from None
        finally:
            writer.close()
        written = Path(folder, "header").read_bytes()
    return written + bytes(padded(len(written), alignment) - len(written))
