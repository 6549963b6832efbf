"""Data hashes of tensors that lie behind each other: small ones are read together, large ones in windows.

Published tensors that are parts of what is stored, or stored in another order, are hashed in the same reading.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from blake3 import blake3

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.layouts.turn import raw_elements
from lineal.checkpoint.layouts.views import View
from lineal.checkpoint.reader import read_exactly

WINDOW_BYTES = 1 << 20
"""The most that is read at once."""

Parts = Mapping[str, Sequence[View]]
"""Stored name -> the published tensors that it is made of, in the order of their bytes; not of those that are one."""

BytesRead = Callable[[int], None]
"""Called with a count of bytes each time so many have been read."""


def stretches(specs: Iterable[TensorSpec]) -> list[Sequence[TensorSpec]]:
    """The tensors of a file, in stretches that fit a window, or one tensor that does not; the largest first."""
    return sorted(_in_order(specs), key=lambda stretch: -_span(stretch))


def hash_stretch(
    stretch: Sequence[TensorSpec], parts: Parts, bytes_read: BytesRead | None = None
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The data hash of each tensor, by name, and those of the published ones that they are made of."""
    descriptor = os.open(stretch[0].path, os.O_RDONLY)
    try:
        if len(stretch) == 1:
            spec = stretch[0]
            digest, of_parts = _hash_windows(descriptor, spec, parts.get(spec.name, ()), bytes_read)
            return {spec.name: digest}, of_parts
        start, window = stretch[0].offset, memoryview(bytearray(_span(stretch)))
        read_exactly(descriptor, window, start, stretch[0].path)
    finally:
        os.close(descriptor)
    if bytes_read:
        bytes_read(sum(spec.byte_length for spec in stretch))

    def content(spec: TensorSpec) -> memoryview:
        return window[spec.offset - start : spec.offset - start + spec.byte_length]

    views = (view for spec in stretch for view in parts.get(spec.name, ()))
    of_parts = {view.spec.name: blake3(_as_published(view, content(view.spec))).digest() for view in views}
    return {spec.name: blake3(content(spec)).digest() for spec in stretch}, of_parts


def _in_order(specs: Iterable[TensorSpec]) -> Iterator[list[TensorSpec]]:
    found: list[TensorSpec] = []
    for spec in sorted(specs, key=lambda spec: (spec.offset, spec.byte_length)):
        if found and spec.offset + spec.byte_length - found[0].offset > WINDOW_BYTES:
            yield found
            found = []
        found.append(spec)
    if found:
        yield found


def _span(stretch: Sequence[TensorSpec]) -> int:
    return stretch[-1].offset + stretch[-1].byte_length - stretch[0].offset


def _hash_windows(
    descriptor: int, spec: TensorSpec, parts: Sequence[View], bytes_read: BytesRead | None
) -> tuple[bytes, dict[str, bytes]]:
    whole, of_parts = blake3(), dict[str, bytes]()
    for view in parts or (View(spec, spec.name),):
        digest, step = blake3(), _step(view)
        buffer = memoryview(bytearray(min(step, view.spec.byte_length)))
        for start in range(0, view.spec.byte_length, step):
            window = buffer[: min(step, view.spec.byte_length - start)]
            read_exactly(descriptor, window, view.spec.offset + start, spec.path)
            whole.update(window)
            if parts:
                digest.update(_as_published(view, window))
            if bytes_read:
                bytes_read(len(window))
        if parts:
            of_parts[view.spec.name] = digest.digest()
    return whole.digest(), of_parts


def _step(view: View) -> int:
    """Bytes that are read at once: of what is turned whole units."""
    unit = 1 if view.turn is None else byte_length(view.spec.dtype, view.turn.unit)
    return max(1, WINDOW_BYTES // unit) * unit


def _as_published(view: View, stored: memoryview) -> memoryview:
    if view.turn is None or not stored:
        return stored
    return memoryview(view.turn.turned(raw_elements(stored, byte_length(view.spec.dtype, 1))).view("u1").data)
