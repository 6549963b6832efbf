"""The streaming engine: read -> decode -> method -> encode -> hash -> write, a tensor a thread, in bounded memory."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext

from lineal.derivation.canonical import Json
from lineal.engines.stream.compound import Task, tensors_of
from lineal.engines.stream.jobs import Sink
from lineal.engines.stream.notes import read_of
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.reading import Rules
from lineal.engines.stream.shared_matrices import SharedMatrices
from lineal.engines.stream.tensor_pass import passes

BytesDone = Callable[[int], None]
SMALL_BYTES = 1 << 16
"""What jobs that one thread does one after the other read at most: a task each would cost more than they do, and
threads that hardly compute wait for each other."""

DataHashes = dict[str, dict[str, bytes]]
"""File path -> tensor name -> data hash, of what was read."""


def stream(
    jobs: Sequence[Task],
    sink: Sink,
    *,
    threads: int | None = None,
    pool: Executor | None = None,
    allow_nonfinite: bool = False,
    bytes_done: BytesDone | None = None,
) -> DataHashes:
    """Run the jobs that the sink does not have yet; returns the data hashes of all inputs, hashed as they were read.

    pool: what carries the tasks, which share this process's memory; by default so many threads, as the machine has
    cores. The first error stops all tasks and is raised; what was finished stays finished.
    """
    stop, errors = threading.Event(), list[Exception]()
    threads = threads or os.cpu_count() or 1
    rules = Rules(stop, allow_nonfinite, bytes_done, SharedMatrices(threads))
    waiting = _tasks(job for job in jobs if not all(tensor.name in sink.leaves for tensor in tensors_of(job)))
    with OpenFiles() as files:

        def run(batch: Sequence[Task]) -> None:
            try:
                for one in (made for task in batch for made in passes(task, files, sink, rules)):
                    if stop.is_set():
                        return
                    one.run()
            except Exception as error:
                errors.append(error)  # the first explains the others, Stopped among them
                stop.set()
                raise

        with nullcontext(pool) if pool else ThreadPoolExecutor(threads) as carrying:
            _carry(carrying, run, waiting, stop)
    if errors:
        raise errors[0]
    return _gather_hashes(jobs, sink.notes)


def _carry(
    pool: Executor, run: Callable[[Sequence[Task]], None], tasks: Iterable[Sequence[Task]], stop: threading.Event
) -> None:
    """Run all tasks; where waiting for them is interrupted, they are stopped, and waited for all the same."""
    begun: list[Future[None]] = []
    try:
        begun += (pool.submit(run, task) for task in tasks)
        _ = wait(begun)
    except BaseException:
        stop.set()
        _ = wait(begun)
        raise


def _tasks(jobs: Iterable[Task]) -> list[Sequence[Task]]:
    """The small jobs, which may be many, as one task; then each other, the largest first."""
    sized = [(job.bytes_read, job) for job in jobs]
    small = [job for size, job in sized if size <= SMALL_BYTES]
    large = sorted(((size, job) for size, job in sized if size > SMALL_BYTES), key=lambda one: -one[0])
    return [*([small] if small else []), *([job] for _, job in large)]


def _gather_hashes(jobs: Sequence[Task], notes: Mapping[str, Json]) -> DataHashes:
    """The inputs' hashes stand in the notes of the tensors made from them, so a resumed run has them too."""
    found: DataHashes = {}
    for job in jobs:
        for tensor in tensors_of(job):
            for path, name, digest in read_of(notes[tensor.name]):
                found.setdefault(path, {})[name] = bytes.fromhex(digest)
    return found
