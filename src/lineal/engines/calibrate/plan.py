"""A calibrated derivation before a weight is read: what streams, and what is walked, block by block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.names.roles import Role, linear_layers
from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.engines.architecture.depth import block_count
from lineal.engines.parents.model import Model
from lineal.engines.stream.compound import Task, jobs_of
from lineal.engines.stream.packed import Packed
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.shown import quoted

BATCH_TOKENS = 2048
"""Of samples that go through a block side by side."""

_LIVE = 6
"""Activations of the widest layer that a block holds at once: gates, ups, their product, what goes in and comes out."""

_FACTORS = 3
"""Second moments, or what is made of one, of the widest layer, that a method holds at once."""


@final
@dataclass(frozen=True)
class WalkPlan:
    """blocks: the tasks that make the tensors of each block; outside: all others; linear: the linear layers."""

    blocks: Sequence[Sequence[Task]]
    outside: Sequence[Task]
    linear: Mapping[str, Role]

    def linear_of(self, index: int) -> Mapping[str, Role]:
        return {name: role for name, role in self.linear.items() if role.block == index}

    def packed_of(self, index: int) -> frozenset[str]:
        """The weights of a block that are stored as codes."""
        return frozenset(task.planned.name for task in self.blocks[index] if isinstance(task, Packed))


def plan_walk(model: Model, plan: StreamPlan) -> WalkPlan:
    """Which of a plan's tasks are a block's; every linear layer of the model must be known by its name."""
    shapes = {name: source.shape for name, source in model.items()}
    linear = linear_layers(shapes, model.config.get("model_type"), model.name)
    depth = block_count(model.config, model.name)
    blocks: list[list[Task]] = [[] for _ in range(depth)]
    outside: list[Task] = []
    for task in plan.jobs:
        found = {_block(job.planned.name, depth) for job in jobs_of(task)}
        if len(found) != 1:
            raise CheckpointError(f"{model.name}: {quoted(task.planned.name)} holds weights of several blocks")
        (index,) = found
        (outside if index is None else blocks[index]).append(task)
    return WalkPlan(blocks, outside, linear)


def walk_bytes(plan: StreamPlan) -> int:
    """What a walk holds at once beside the program: a block in float32, activations, what a method makes of them."""
    blocks: dict[str, int] = {}
    widest = 1
    for task in plan.jobs:
        for job in jobs_of(task):
            match = BLOCK.fullmatch(job.planned.name)
            if match is not None:
                blocks[match["number"]] = blocks.get(match["number"], 0) + 4 * job.planned.elements
                widest = max(widest, *job.planned.shape[-2:])
    return max(blocks.values(), default=0) + 4 * widest * (_LIVE * BATCH_TOKENS + _FACTORS * widest)


def _block(name: str, depth: int) -> int | None:
    """The number of the block that a tensor belongs to; None of one outside, or of a head behind the last block."""
    match = BLOCK.fullmatch(name)
    number = int(match["number"]) if match is not None and len(match["number"]) < 10 else depth
    return number if number < depth else None
