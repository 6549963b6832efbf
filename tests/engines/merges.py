"""Merges for tests: parents written to disk by independent code, the child read back by it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import SHARD_BYTES, lay_out
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.stream.plan import StreamPlan
from lineal.methods.streaming import StreamingMethod
from tests.builders import Array, make_checkpoint, random_tensors, read_folder

SHAPES: Mapping[str, Sequence[int]] = {
    "empty.weight": (0, 3),
    "scalar": (),
    "one.weight": (1,),
    "odd.weight": (37, 61),
    "granules.weight": (3, 4096),
    "a granule and one.weight": (4097,),
    "vector.bias": (129,),
}

Tensors = dict[str, Array]


def similar_models(
    count: int, dtype: Any, shapes: Mapping[str, Sequence[int]] = SHAPES
) -> tuple[Tensors, list[Tensors]]:
    """A base, and models that are some way from it, as fine-tunes are."""
    base = random_tensors(100, shapes)
    deltas = [random_tensors(101 + i, shapes) for i in range(count)]
    models = [{name: (base[name] + 0.3 * delta[name]).astype(dtype) for name in shapes} for delta in deltas]
    return {name: values.astype(dtype) for name, values in base.items()}, models


def opened(folder: Path, tensors: Tensors, shards: int = 1) -> Model:
    return full_model(folder.name, open_checkpoint(make_checkpoint(folder, tensors, shards=shards)))


def parents(
    folder: Path, method: StreamingMethod, models: Sequence[Tensors], base: Tensors | None, shards: Sequence[int] = (1,)
) -> tuple[list[Model], Model | None]:
    """The models on disk, each in its own number of shards, and the base where the method has one."""
    counts = [shards[i % len(shards)] for i in range(len(models) + 1)]
    stored = [opened(folder / f"model{i}", tensors, counts[i]) for i, tensors in enumerate(models)]
    origin = opened(folder / "base", base, counts[-1]) if method.uses_base and base is not None else None
    return stored, origin


def write(plan: StreamPlan, out: Path, *, shard_bytes: int = SHARD_BYTES, **options: Any) -> DataHashes:
    with CheckpointWriter(out, lay_out(plan.planned, shard_bytes=shard_bytes), "key") as writer:
        hashes = stream(plan.jobs, writer, **options)
        writer.seal()
    return hashes


def merge(
    folder: Path,
    method: StreamingMethod,
    models: Sequence[Tensors],
    base: Tensors | None,
    shards: Sequence[int] = (1,),
    **options: Any,
) -> dict[str, Array]:
    """The merged tensors, by way of the disk."""
    stored, origin = parents(folder, method, models, base, shards)
    write(plan_merge(method, stored, origin), folder / "child", **options)
    return read_folder(folder / "child")


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def distance_in_ulps(left: Array, right: Array, scale: Array) -> float:
    """The largest difference, in float32 units in the last place of `scale`."""
    if left.size == 0:
        return 0.0
    unit = np.spacing(np.maximum(np.abs(scale), np.finfo(np.float32).tiny).astype(np.float32)).astype(np.float64)
    return float((np.abs(left.astype(np.float64) - right) / unit).max())
