"""The streaming engine: read -> decode -> method -> encode -> hash -> write, a tensor a thread, in bounded memory."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, cast

from lineal.derivation.canonical import Json
from lineal.engines.jobs import Job, Sink
from lineal.engines.reading import OpenFiles, Rules
from lineal.engines.tensor_pass import TensorPass

BytesDone = Callable[[int], None]
DataHashes = dict[str, dict[str, bytes]]
"""File path -> tensor name -> data hash, of what was read."""


def stream(
    jobs: Sequence[Job],
    sink: Sink,
    *,
    threads: int | None = None,
    allow_nonfinite: bool = False,
    bytes_done: BytesDone | None = None,
) -> DataHashes:
    """Run the jobs that the sink does not have yet; returns the data hashes of all inputs, hashed as they were read.

    The first error stops all threads and is raised; what was finished stays finished.
    """
    stop, errors = threading.Event(), list[Exception]()
    rules = Rules(stop, allow_nonfinite, bytes_done)
    waiting = sorted((job for job in jobs if job.planned.name not in sink.leaves), key=lambda job: -job.bytes_read)
    with OpenFiles() as files:

        def run(job: Job) -> None:
            if stop.is_set():
                return
            try:
                TensorPass(job, files, sink, rules).run()
            except Exception as error:
                errors.append(error)  # the first explains the others, Stopped among them
                stop.set()
                raise

        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            try:
                wait([pool.submit(run, job) for job in waiting])
            except BaseException:
                stop.set()
                raise
    if errors:
        raise errors[0]
    return _gather_hashes(jobs, sink.notes)


def _gather_hashes(jobs: Sequence[Job], notes: Mapping[str, Json]) -> DataHashes:
    """The inputs' hashes stand in the notes of the tensors made from them, so a resumed run has them too."""
    found: DataHashes = {}
    for job in jobs:
        for path, name, digest in cast(list[Any], notes[job.planned.name]):
            found.setdefault(path, {})[name] = bytes.fromhex(digest)
    return found
