"""How near verification's reading comes to its limits: BLAKE3 in memory when warm, the disk itself when cold."""

import mmap
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blake3 import blake3

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.content.memory import HashMemory
from lineal.checkpoint.reader import FULL_WEIGHTS

_THREADS = 2
_WINDOW_BYTES = 1 << 20
_DIRECT_BYTES = 4 << 20
_RUNS = 9


def warm_share(folder: Path) -> float:
    """Of the speed at which two threads hash as much in memory; alternating, the median of the ratios."""
    half = bytearray(os.urandom(_DIRECT_BYTES)) * max(1, _size(folder) // _THREADS // _DIRECT_BYTES)
    return statistics.median(
        _seconds(lambda: _hash_in_memory(half)) / _seconds(lambda: hash_folder(folder)) for _ in range(_RUNS)
    )


def cold_share(folder: Path) -> float:
    """Of the speed at which two threads read the file past the cache; alternating, the median of the ratios."""
    ratios: list[float] = []
    for _ in range(_RUNS):
        direct = _seconds(lambda: _read_directly(folder / FULL_WEIGHTS))
        evict(folder / FULL_WEIGHTS)
        ratios.append(direct / _seconds(lambda: hash_folder(folder)))
    return statistics.median(ratios)


def second_look_ms(folder: Path, memory: Path) -> float:
    """Of a folder whose files have not changed since they were hashed."""
    remembered = HashMemory(memory)
    _ = hash_folder(folder, memory=remembered)
    return 1000 * statistics.median(_seconds(lambda: hash_folder(folder, memory=remembered)) for _ in range(_RUNS))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _size(folder: Path) -> int:
    return (folder / FULL_WEIGHTS).stat().st_size


def _hash_in_memory(half: bytearray) -> None:
    def hash_all(_: int) -> None:
        digest, view = blake3(), memoryview(half)
        for start in range(0, len(half), _WINDOW_BYTES):
            digest.update(view[start : start + _WINDOW_BYTES])

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(hash_all, range(_THREADS)))


def _read_directly(path: Path) -> None:
    size = path.stat().st_size // _DIRECT_BYTES * _DIRECT_BYTES
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)

    def read(thread: int) -> None:
        buffer = mmap.mmap(-1, _DIRECT_BYTES)  # aligned, as the disk wants it
        for start in range(thread * _DIRECT_BYTES, size, _THREADS * _DIRECT_BYTES):
            _ = os.preadv(descriptor, [buffer], start)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(read, range(_THREADS)))
    os.close(descriptor)


def evict(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
