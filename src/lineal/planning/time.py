"""How long a streamed derivation will take: from its bytes, and a moment's measurement of this machine."""

import time
from functools import cache

import numpy as np
from blake3 import blake3

_SAMPLE_BYTES = 4 << 20
_SAMPLE_SECONDS = 0.05
_START_SECONDS = (1.0, 2.5)
"""Of a process before it streams, on a quick and on a busy machine: imports, and loading compiled kernels."""
_SLOWEST = 4.0
"""How much longer than copying and hashing in memory it may take: arithmetic, a disk, two threads on one core.
Measured on 660 M parameters, two threads, busy: linear 3.8 times, TIES 2.8 times as long."""


def stream_seconds(bytes_read: int, bytes_written: int, threads: int) -> tuple[float, float]:
    """The least and the most that is likely, in seconds. What is written is hashed and goes to the disk."""
    at_best = (bytes_read + 2 * bytes_written) / (_bytes_per_second() * threads)
    quick, busy = _START_SECONDS
    return quick + at_best, busy + _SLOWEST * at_best


@cache
def _bytes_per_second() -> float:
    """How fast one thread copies and hashes, measured for a twentieth of a second."""
    source = np.ones(_SAMPLE_BYTES, np.uint8)
    window = np.empty_like(source)
    began, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < _SAMPLE_SECONDS:
        np.copyto(window, source)
        _ = blake3(window.data).digest()
        done += _SAMPLE_BYTES
    return done / elapsed
