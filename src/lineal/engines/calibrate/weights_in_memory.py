"""Some of a model's tensors in memory as float32, whatever they are stored as: read by the streaming engine."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.canonical import Json
from lineal.engines.parents.model import Model
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Job
from lineal.methods.arrays import Float32
from lineal.methods.merge.adapter import AdapterMerge

BytesRead: TypeAlias = Callable[[int], None]


class Taker(Protocol):
    """What is given stretches of a tensor's values, in any order and by several threads."""

    def __call__(self, start: int, values: Float32, /) -> None: ...


@final
class _Taken:
    """A sink that hands values on."""

    def __init__(self, takers: Mapping[str, Taker]) -> None:
        self._takers = takers
        self.leaves: dict[str, Leaf] = {}
        self.notes: dict[str, Json] = {}

    def write(self, planned: Planned, start: int, raw: memoryview) -> None:
        self._takers[planned.name](start // 4, np.frombuffer(raw, np.float32))

    def finish(self, planned: Planned, data_hash: bytes, note: Json) -> None:
        self.leaves[planned.name] = planned.leaf(data_hash)
        self.notes[planned.name] = note


def read_values(
    model: Model, takers: Mapping[str, Taker], *, threads: int | None = None, bytes_read: BytesRead | None = None
) -> dict[str, Json]:
    """Give each taker the values of the tensor of its name; what was read for them, as notes have it, by name."""
    sink = _Taken(takers)
    jobs = [reading_job(model, name) for name in takers]
    _ = stream(jobs, sink, threads=threads, bytes_done=bytes_read)
    return sink.notes


def reading_job(model: Model, name: str) -> Job:
    """What reads a tensor as float32."""
    return Job(Planned(name, "F32", model[name].shape), (model[name],), method=AdapterMerge())


def into(target: Float32) -> Taker:
    """Puts all values into an array, [n]."""

    def take(start: int, values: Float32) -> None:
        target[start : start + values.size] = values

    return take


def rows_into(target: Float32, chosen: NDArray[np.int64], width: int) -> Taker:
    """Puts some rows of a matrix, by their numbers in rising order, into the rows of an array, [chosen, width]."""
    flat = target.reshape(-1)

    def take(start: int, values: Float32) -> None:
        end = start + values.size
        first, last = np.searchsorted(chosen, (start // width, -(-end // width)))
        for place in range(first, last):
            low, high = max(start, chosen[place] * width), min(end, (chosen[place] + 1) * width)
            offset = place * width - chosen[place] * width
            flat[low + offset : high + offset] = values[low - start : high - start]

    return take
