"""Data hashes of tensors that lie behind each other: small ones are read together, large ones in windows."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from blake3 import blake3

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.reader import read_exactly

WINDOW_BYTES = 1 << 20
"""The most that is read at once."""

BytesRead = Callable[[int], None]
"""Called with a count of bytes each time so many have been read."""


def stretches(specs: Iterable[TensorSpec]) -> list[Sequence[TensorSpec]]:
    """The tensors of a file, in stretches that fit a window, or one tensor that does not; the largest first."""
    return sorted(_in_order(specs), key=lambda stretch: -_span(stretch))


def hash_stretch(stretch: Sequence[TensorSpec], bytes_read: BytesRead | None = None) -> dict[str, bytes]:
    """The data hash of each tensor, by name."""
    descriptor = os.open(stretch[0].path, os.O_RDONLY)
    try:
        if len(stretch) == 1:
            return {stretch[0].name: _hash_windows(descriptor, stretch[0], bytes_read)}
        start, window = stretch[0].offset, memoryview(bytearray(_span(stretch)))
        read_exactly(descriptor, window, start, stretch[0].path)
    finally:
        os.close(descriptor)
    if bytes_read:
        bytes_read(sum(spec.byte_length for spec in stretch))
    return {
        spec.name: blake3(window[spec.offset - start : spec.offset - start + spec.byte_length]).digest()
        for spec in stretch
    }


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


def _hash_windows(descriptor: int, spec: TensorSpec, bytes_read: BytesRead | None) -> bytes:
    digest = blake3()
    buffer = memoryview(bytearray(min(WINDOW_BYTES, spec.byte_length)))
    for start in range(0, spec.byte_length, WINDOW_BYTES):
        window = buffer[: min(WINDOW_BYTES, spec.byte_length - start)]
        read_exactly(descriptor, window, spec.offset + start, spec.path)
        digest.update(window)
        if bytes_read:
            bytes_read(len(window))
    return digest.digest()
