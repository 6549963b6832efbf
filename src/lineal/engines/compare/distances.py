"""How far apart the weights of two models are: norm, share of entries and rank of what changed, tensor by tensor."""

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.engines.parents.model import Model
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.reading import Reading, Rules
from lineal.engines.stream.source import Source

LARGEST_RANK = 64
"""Ranks above it are not told apart."""

_SKETCH = LARGEST_RANK + 8
_WINDOW_ELEMENTS = 1 << 18
_SEED = 20260
_ROUNDING = {"F64": 2.0**-53, "F32": 2.0**-24, "F16": 2.0**-11, "BF16": 2.0**-8}
"""Half a unit in the last place, relative; of every other dtype that of BF16 is taken."""


@final
@dataclass(frozen=True)
class Distance:
    """Of one tensor, from the first model to the second.

    norm: of the change, L2; relative: to the norm of the first; changed: share of the entries; rank: of the change as a
    matrix, as far as rounding lets it be seen, LARGEST_RANK + 1 for all above; None of what is no matrix.
    """

    name: str
    shape: tuple[int, ...]
    norm: float
    relative: float
    changed: float
    rank: int | None


def comparable(before: Model, after: Model) -> list[str]:
    """The names of tensors that both models have, in one shape, as numbers."""
    return [
        name
        for name, source in before.sources.items()
        if name in after.sources
        and source.shape == after.sources[name].shape
        and {source.dtype, after.sources[name].dtype} <= FLOATS
    ]


def distances(
    before: Model, after: Model, *, threads: int | None = None, bytes_done: Callable[[int], None] | None = None
) -> tuple[Distance, ...]:
    """Both models as full weights, in windows of whole rows; adapters are seen as part of their base."""
    rules = Rules(threading.Event(), allow_nonfinite=True, bytes_done=bytes_done)
    names = comparable(before, after)
    with OpenFiles() as files, ThreadPoolExecutor(threads or os.cpu_count()) as pool:

        def measure(name: str) -> Distance:
            return _distance(name, before.sources[name], after.sources[name], Reading(files, rules))

        return tuple(pool.map(measure, names))


def _distance(name: str, before: Source, after: Source, reading: Reading) -> Distance:
    columns = before.shape[-1] if before.shape else 1
    is_matrix = len(before.shape) > 1 and min(columns, math.prod(before.shape) // max(1, columns)) > 1
    probes = np.random.default_rng(_SEED).standard_normal((columns, _SKETCH)) if is_matrix else None
    squares, origin, changed, elements = 0.0, 0.0, 0, math.prod(before.shape)
    gram = np.zeros((_SKETCH, _SKETCH))
    for first, second in _windows(before, after, reading):
        change = second.astype(np.float64) - first
        squares += float(np.vdot(change, change))
        origin += float(np.vdot(first.astype(np.float64), first))
        changed += int(np.count_nonzero(change))
        if probes is not None:
            sketch = change.reshape(-1, columns) @ probes
            gram += sketch.T @ sketch
    rank = None
    if probes is not None:
        noise = max(_ROUNDING.get(source.dtype, _ROUNDING["BF16"]) for source in (before, after))
        rank = _rank(gram, noise * math.sqrt(origin / max(1, elements)), elements // columns, columns)
    relative = math.sqrt(squares / origin) if origin else (math.inf if squares else 0.0)
    return Distance(name, before.shape, math.sqrt(squares), relative, changed / max(1, elements), rank)


def _windows(
    before: Source, after: Source, reading: Reading
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Stretches of both, of whole rows and whole blocks of a quantized type."""
    for source in (before, after):
        reading.load_beside(source)
    elements = math.prod(before.shape)
    unit = math.lcm(before.unit, after.unit, max(1, before.shape[-1] if before.shape else 1))
    window = max(1, _WINDOW_ELEMENTS // unit) * unit
    for start in range(0, elements, window):
        count = min(window, elements - start)
        yield reading.stretch(before, start, count), reading.stretch(after, start, count)


def _rank(gram: NDArray[np.float64], noise: float, rows: int, columns: int) -> int:
    """How many directions of a random sketch stand out of rounding (Halko, Martinsson and Tropp 2011, section 4).

    noise: of an entry. Rounding alone gives a sketch singular values of about noise sqrt(columns) (sqrt(rows) +
    sqrt(_SKETCH)); three times that is what a real direction must exceed, and a billionth of the largest.
    """
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))
    floor = 3 * noise * math.sqrt(columns) * (math.sqrt(rows) + math.sqrt(_SKETCH))
    found = int(np.count_nonzero(values > max(floor, 1e-7 * values.max(initial=0.0))))
    return min(found, rows, columns, LARGEST_RANK + 1)
