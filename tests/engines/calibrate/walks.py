"""Calibrated methods that do as good as nothing, and walks with them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.layout import Planned
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.calibrate.block_walk import Walk
from lineal.engines.calibrate.decoder import Decoder
from lineal.engines.calibrate.plan import plan_walk
from lineal.engines.merge.child_package import own_package
from lineal.engines.parents.model import full_model
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.methods.calibrated import Block, CalibratedMethod, Rounded
from lineal.methods.merge.adapter import AdapterMerge


@dataclass(frozen=True, kw_only=True)
class Watching(CalibratedMethod):
    """Calls a function with each block, and changes what that changes."""

    kind: ClassVar = "quantize"
    name: ClassVar = "watching"
    paper: ClassVar = ""

    scheme: str = "none"
    watch: Callable[[Block], Any] = lambda _: None

    def work_on(self, block: Block) -> Iterator[Rounded]:
        self.watch(block)
        yield from ()


def random_tokens(samples: int, context: int, vocabulary: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(1, vocabulary, (samples, context)).astype(np.int32)


def plain_plan(model: Any) -> StreamPlan:
    """A child like its parent, whatever that is stored as."""
    jobs = tuple(
        Job(Planned(name, source.dtype, source.shape), (source,), method=AdapterMerge())
        for name, source in model.sources.items()
    )
    return StreamPlan(jobs, own_package(model, model.config).child())


def walk(folder: Path, out: Path, method: CalibratedMethod, samples: Any, key: str = "key") -> Path:
    """Make a child; what a killed walk left there is gone on from."""
    model = full_model("parent", open_checkpoint(folder))
    plan = plain_plan(model)
    with CheckpointWriter(out / "child", plan.child.lay_out(plan.planned), key) as writer:
        Walk(method, Decoder(model), samples, plan_walk(model, plan), out / "work").run(writer)
        writer.seal()
    plan.child.write_package(out / "child")
    return out / "child"
