"""How the weights of each kind of recipe come to lie in a folder."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from lineal.checkpoint.identity import Leaf
from lineal.checkpoint.layout import lay_out
from lineal.checkpoint.package import copy_package
from lineal.checkpoint.writer import CheckpointWriter
from lineal.derivation.step import Role
from lineal.engines.extra import require_training
from lineal.engines.stream import DataHashes, stream
from lineal.errors import MethodError
from lineal.family.merge_inputs import plan_merge_of
from lineal.family.progress import StepProgress
from lineal.family.recipe import ModelRecipe
from lineal.family.workshop import Placed, Workshop
from lineal.methods.finetune import FullFineTune, Training
from lineal.methods.method import Method
from lineal.methods.streaming import StreamingMethod

Inputs = Sequence[tuple[Role, Placed]]


@final
@dataclass(frozen=True)
class Made:
    """What a maker learnt on the way: data hashes of the child's tensors and of the inputs it read whole.

    method: as it is to be recorded; a budget in tokens has become epochs, too.
    """

    method: Method
    leaves: Mapping[str, Leaf] = field(default_factory=dict[str, Leaf])
    inputs: DataHashes = field(default_factory=dict[str, dict[str, bytes]])


def make(workshop: Workshop, recipe: ModelRecipe, inputs: Inputs, child: Path, work: Path, key: str) -> Made:
    """Fill `child` with the model. `work` outlives a kill; what an earlier run with the same key left is continued."""
    match recipe.method:
        case StreamingMethod() as method:
            return _make_merge(workshop, recipe, method, inputs, child, key)
        case Training() as method:
            return _make_training(workshop, recipe, method, inputs, child, work)
        case _:
            raise MethodError(f"{recipe.name}: nothing knows how to run {type(recipe.method).__name__}")


def _make_merge(
    workshop: Workshop, recipe: ModelRecipe, method: StreamingMethod, inputs: Inputs, child: Path, key: str
) -> Made:
    plan = plan_merge_of(method, inputs)
    layout = lay_out(plan.planned)
    with (
        CheckpointWriter(child, layout, key) as writer,
        workshop.progress.task(f"merging {recipe.name}", plan.bytes_read, "bytes") as advance,
    ):
        read = stream(
            plan.jobs, writer, threads=workshop.threads, allow_nonfinite=recipe.allow_nonfinite, bytes_done=advance
        )
        writer.seal()
        copy_package(plan.donor, child)
        return Made(method, dict(writer.leaves), read)


def _make_training(
    workshop: Workshop, recipe: ModelRecipe, method: Training, inputs: Inputs, child: Path, work: Path
) -> Made:
    require_training("training")
    from lineal.engines.train import train  # torch is imported only where something is trained

    parent = inputs[0][1] if inputs else None
    _empty(child)
    work.mkdir(exist_ok=True)
    with StepProgress(workshop.progress, f"training {recipe.name}", "steps") as progress:
        report = train(
            method,
            data=recipe.data,
            out=child,
            scratch=work,
            parent=parent.folder if parent else None,
            parent_base=parent.base.folder if parent and parent.base else None,
            parent_name=parent.label if parent else "",
            progress=progress,
        )
    if isinstance(method, FullFineTune) and parent is not None:
        copy_package((parent.base or parent).folder, child)
    return Made(replace(method, epochs=report.epochs))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
