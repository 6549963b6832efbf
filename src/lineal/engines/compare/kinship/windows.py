"""Sampled rows of a model's matrices, as float32: bounded whatever the model's size."""

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.engines.parents.model import Model
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.reading import Reading, Rules
from lineal.engines.stream.source import Source

Windows: TypeAlias = Mapping[str, NDArray[np.float32]]
"""Tensor name -> [rows, columns]."""

ROWS = 64
"""Of a matrix, in runs from its beginning to its end."""

_RUNS = 4
_NARROWEST = 8


@final
@dataclass(frozen=True)
class Spot:
    """Where a matrix is looked at: rows by number, the same in every model."""

    name: str
    rows: tuple[range, ...]


def is_matrix(source: Source) -> bool:
    """Whether a tensor tells of its origin: norms, biases and tables of a few entries are alike everywhere."""
    shape = source.shape
    return len(shape) > 1 and source.dtype in FLOATS and min(shape[-1], math.prod(shape[:-1])) >= _NARROWEST


def spots(model: Model, most: int) -> tuple[Spot, ...]:
    """The matrices to look at: at most so many, spread evenly over the model."""
    names = [name for name, source in model.sources.items() if is_matrix(source)]
    count = min(most, len(names))
    chosen = [names[index * len(names) // count] for index in range(count)]
    return tuple(Spot(name, _runs(math.prod(model.sources[name].shape[:-1]))) for name in chosen)


def read(
    model: Model, wanted: Iterable[tuple[Spot, str]], bytes_done: Callable[[int], None] | None = None
) -> dict[str, NDArray[np.float32]]:
    """The rows of each spot from the tensor that goes with it here, under the spot's name; fewer where it has fewer."""
    rules = Rules(threading.Event(), allow_nonfinite=True, bytes_done=bytes_done)
    found: dict[str, NDArray[np.float32]] = {}
    with OpenFiles() as files:
        for spot, name in wanted:
            reading = Reading(files, rules)  # a new one each time: it would keep the matrices of every adapted layer
            source = model.sources[name]
            reading.load_beside(source)
            columns, rows = source.shape[-1], math.prod(source.shape[:-1])
            runs = [range(run.start, min(run.stop, rows)) for run in spot.rows if run.start < rows]
            parts = [reading.stretch(source, run.start * columns, len(run) * columns) for run in runs]
            found[spot.name] = np.nan_to_num(np.concatenate(parts)).reshape(-1, columns)
    return found


def _runs(rows: int) -> tuple[range, ...]:
    if rows <= ROWS:
        return (range(rows),)
    length = ROWS // _RUNS
    starts = [index * (rows - length) // (_RUNS - 1) for index in range(_RUNS)]
    return tuple(range(start, start + length) for start in starts)
