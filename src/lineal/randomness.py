"""Random numbers as data: Philox 4x32-10 keyed by (seed, name, index) and indexed by element.

The number that belongs to an element never depends on threads, windows, the order of tensors or a device.
Source: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
"""

import struct
from typing import NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from lineal.kernels.kernel import kernel
from lineal.kernels.types import Uint32s

_CONTEXT = b"lineal.random.1"
_PER_BLOCK = 4


class Stream(NamedTuple):
    """One sequence of random words: Philox's key, and the upper half of its counter."""

    key: tuple[int, int]
    counter: tuple[int, int]


def stream(seed: int, name: str, index: int = 0) -> Stream:
    """The stream of a tensor or module `name`; `index` tells the models of a merge apart."""
    encoded = name.encode()
    text = str(seed).encode()
    keyed = _CONTEXT + struct.pack("<I", len(text)) + text + struct.pack("<I", len(encoded)) + encoded
    k0, k1, c2, c3 = struct.unpack("<4I", blake3(keyed + struct.pack("<I", index)).digest()[:16])
    return Stream((k0, k1), (c2, c3))


def words(source: Stream, start: int, count: int) -> NDArray[np.uint32]:
    """Elements [start, start + count) of the stream, uint32."""
    first = start // _PER_BLOCK
    blocks = -(-(start + count) // _PER_BLOCK) - first
    drawn = np.empty(blocks * _PER_BLOCK, np.uint32)
    _philox(*source.key, *source.counter, np.uint64(first), drawn)
    skipped = start - first * _PER_BLOCK
    return drawn[skipped : skipped + count]


def uniforms(seed: int, name: str, index: int, start: int, count: int) -> NDArray[np.float32]:
    """Elements [start, start + count), float32 in [0, 1): the upper 24 bits of each word, times 2^-24."""
    drawn = words(stream(seed, name, index), start, count) >> np.uint32(8)
    return drawn.astype(np.float32) * np.float32(2**-24)


@kernel
def _philox(key0: int, key1: int, counter2: int, counter3: int, first: np.uint64, out: Uint32s) -> None:
    for block in range(out.size // 4):
        position = np.uint64(first) + np.uint64(block)
        c0, c1 = np.uint32(position), np.uint32(position >> np.uint64(32))
        c2, c3 = np.uint32(counter2), np.uint32(counter3)
        k0, k1 = np.uint32(key0), np.uint32(key1)
        for _ in range(10):
            low, high = np.uint64(c0) * np.uint64(0xD2511F53), np.uint64(c2) * np.uint64(0xCD9E8D57)
            c0, c2 = np.uint32(high >> np.uint64(32)) ^ c1 ^ k0, np.uint32(low >> np.uint64(32)) ^ c3 ^ k1
            c1, c3 = np.uint32(high), np.uint32(low)
            k0, k1 = np.uint32(k0 + np.uint32(0x9E3779B9)), np.uint32(k1 + np.uint32(0xBB67AE85))
        out[4 * block], out[4 * block + 1], out[4 * block + 2], out[4 * block + 3] = c0, c1, c2, c3
