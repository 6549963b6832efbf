"""A GGUF in a given size: types per tensor that lose least, by what rounding a sample of each tensor loses."""

import math
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.codes.dtypes import decode, encode
from lineal.checkpoint.codes.ggml import PLAIN, Encoding
from lineal.checkpoint.headers.storage import byte_length, padded
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.checkpoint.written.layout import Planned
from lineal.engines.stream.compound import Task, jobs_of
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.stream.reading import Reading, Rules
from lineal.engines.stream.source import Source
from lineal.methods.quantize.fitting import CANDIDATES, Option, assumed_loss, fitted, squared_error
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mixes import shortened

ROWS, ELEMENTS = 64, 1 << 16
"""Of each tensor, at most, from its beginning to its end."""

Losses: TypeAlias = Mapping[str, Sequence[float]]
"""GGUF's name of a tensor -> what rounding to each of its candidates loses."""

_ALIGNMENT = 32


def candidates(planned: Planned, free: frozenset[str]) -> list[str]:
    """The types that a tensor may have, the smallest first; of one that is not free to choose, its own."""
    if planned.name not in free:
        return [planned.dtype]
    kinds = dict.fromkeys([*(shortened(kind, planned.shape[-1]) for kind in CANDIDATES), planned.dtype])
    return sorted(kinds, key=lambda kind: byte_length(kind, planned.elements))


def fit(
    method: GgufQuantization, planned: Sequence[Planned], free: frozenset[str], losses: Losses, beside: int = 0
) -> dict[str, str]:
    """The types that fit the size which the method asks for.

    planned: as is begun with; beside: the bytes of the file that are no tensor's. Of bits a weight the tensors alone
    count, as llama.cpp counts them.
    """
    whole_file = method.size is not None
    options: dict[str, list[Option]] = {}
    for tensor in planned:
        kinds = candidates(tensor, free)
        sizes = [byte_length(kind, tensor.elements) for kind in kinds]
        taken = [padded(size, _ALIGNMENT) for size in sizes] if whole_file else sizes
        options[tensor.name] = [Option(*one) for one in zip(kinds, taken, losses[tensor.name], strict=True)]
    begun = {tensor.name: tensor.dtype for tensor in planned} if method.scheme is not None else None
    beside = beside if whole_file else 0
    return fitted(options, _bytes(method, planned) - beside, begun, beside)


def assumed(planned: Sequence[Planned], free: frozenset[str]) -> dict[str, list[float]]:
    """Losses as they are as a rule, from sizes alone."""
    return {
        tensor.name: [assumed_loss(byte_length(kind, tensor.elements), tensor.elements) for kind in kinds]
        for tensor in planned
        for kinds in [candidates(tensor, free)]
    }


def measured(plan: StreamPlan, free: frozenset[str], importance: ImportanceMatrix | None) -> dict[str, list[float]]:
    """Losses by samples: the squared error, of columns by their importance, over the squares, times all elements."""
    tasks = [task for task in plan.jobs if task.planned.name in free]
    rules = Rules(threading.Event(), allow_nonfinite=True)
    with OpenFiles() as files, ThreadPoolExecutor(os.cpu_count()) as pool:

        def of_task(task: Task) -> list[float]:
            kinds = candidates(task.planned, free)
            return _losses(task, kinds, Reading(files, rules), importance)

        found = dict(zip((task.planned.name for task in tasks), pool.map(of_task, tasks), strict=True))
    return {tensor.name: found.get(tensor.name, [0.0]) for tensor in plan.planned}


def bytes_beside(plan: StreamPlan) -> int:
    """What the file holds beside its tensors."""
    return sum(len(header) for header in plan.child.lay_out(plan.planned).headers.values())


def _bytes(method: GgufQuantization, planned: Sequence[Planned]) -> int:
    """The most that the tensors, or with all else the file, may take."""
    if method.size is not None:
        return method.size
    weights = sum(tensor.elements for tensor in planned)
    return math.floor(cast(float, method.bits_per_weight) * weights / 8)


def _losses(task: Task, kinds: Sequence[str], reading: Reading, importance: ImportanceMatrix | None) -> list[float]:
    parts, columns = jobs_of(task), task.planned.shape[-1]
    weights = None if importance is None else importance.of(task.planned.name, task.planned.shape)
    experts = len(parts) if weights is None else len(weights)
    sums = {kind: np.zeros(2) for kind in kinds}
    for (part, expert), rows in _rows(parts, columns, experts).items():
        values = _read(cast(Source, parts[part].models[0]), rows, columns, reading)
        of_columns = np.ones(columns, np.float32) if weights is None else np.ascontiguousarray(weights[expert])
        encoding = PLAIN if weights is None else Encoding(importance=of_columns)
        for kind in kinds:
            squared_error(values, _rounded(values, kind, encoding), of_columns, sums[kind])
    return [float(task.planned.elements * (error / energy)) if energy else 0.0 for error, energy in sums.values()]


def _rows(parts: Sequence[Job], columns: int, experts: int) -> dict[tuple[int, int], list[int]]:
    """Rows by the part that they are in and by their expert, spread evenly over all; one part may have all experts."""
    each = parts[0].planned.elements // columns
    rows = each * len(parts)
    count = min(rows, ROWS, max(1, ELEMENTS // columns))
    found: dict[tuple[int, int], list[int]] = {}
    for number in range(count):
        chosen = number * rows // count
        part, row = divmod(chosen, each)
        found.setdefault((part, chosen * experts // rows), []).append(row)
    return found


def _read(source: Source, rows: Sequence[int], columns: int, reading: Reading) -> NDArray[np.float32]:
    reading.load_beside(source)
    found = [reading.stretch(source, row * columns, columns) for row in rows]
    return np.nan_to_num(np.concatenate(found))


def _rounded(values: NDArray[np.float32], kind: str, encoding: Encoding) -> NDArray[np.float32]:
    raw, rounded = np.empty(byte_length(kind, values.size), np.uint8), np.empty_like(values)
    _ = encode(values, kind, raw, encoding)
    _ = decode(raw, kind, rounded)
    return np.nan_to_num(rounded)
