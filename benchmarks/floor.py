"""The floor: read and hash all inputs with two threads, then write, hash and fsync so many bytes.

Usage: floor.py OUTPUT BYTES INPUT...
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from blake3 import blake3

_THREADS = 2
_WINDOW_BYTES = 1 << 20
_STRETCH_BYTES = 64 << 20
"""What a thread takes at a time, under a hash of its own."""


def _stretches(size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(_STRETCH_BYTES, size - start)) for start in range(0, size, _STRETCH_BYTES))


def _read_and_hash(descriptor: int, start: int, length: int) -> None:
    digest, buffer = blake3(), memoryview(bytearray(_WINDOW_BYTES))
    done = 0
    while done < length:
        count = os.preadv(descriptor, [buffer[: length - done]], start + done)
        digest.update(buffer[:count])
        done += count


def _write_and_hash(descriptor: int, start: int, length: int) -> None:
    digest, buffer = blake3(), memoryview(os.urandom(_WINDOW_BYTES))
    done = 0
    while done < length:
        window = buffer[: length - done]
        digest.update(window)
        done += os.pwrite(descriptor, window, start + done)


def main(output: str, size_of_output: int, inputs: list[str]) -> None:
    opened = [os.open(path, os.O_RDONLY) for path in inputs]
    sizes = [os.fstat(descriptor).st_size for descriptor in opened]
    with ThreadPoolExecutor(_THREADS) as pool:
        reads = [
            pool.submit(_read_and_hash, descriptor, start, length)
            for descriptor, size in zip(opened, sizes, strict=True)
            for start, length in _stretches(size)
        ]
        for read in reads:
            read.result()
        written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        for write in [pool.submit(_write_and_hash, written, *stretch) for stretch in _stretches(size_of_output)]:
            write.result()
        os.fsync(written)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
