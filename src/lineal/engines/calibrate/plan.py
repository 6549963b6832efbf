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
from lineal.methods.calibrated import CalibratedMethod
from lineal.shown import quoted

_STATES = 2
"""Files of hidden states that lie side by side: before a block, and behind it."""


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


def states_bytes(method: CalibratedMethod, width: int) -> int:
    """What a walk needs on disk beside the child, while it lasts."""
    return _STATES * 4 * method.samples * method.context * width


def _block(name: str, depth: int) -> int | None:
    """The number of the block that a tensor belongs to; None of one outside, or of a head behind the last block."""
    match = BLOCK.fullmatch(name)
    number = int(match["number"]) if match is not None and len(match["number"]) < 10 else depth
    return number if number < depth else None
