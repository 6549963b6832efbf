"""How the weights of each kind of recipe come to lie in a folder."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from lineal.checkpoint.content.identity import Leaf
from lineal.derivation.step import Kind
from lineal.engines.extra import require_training
from lineal.engines.merge.child_package import own_package
from lineal.engines.stream.engine import DataHashes
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.train.base_name import BaseName
from lineal.errors import MethodError
from lineal.family.build.distance import full
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.soup import pick_ingredients
from lineal.family.build.streams import Streamed, plan_stream, write_stream
from lineal.family.file.recipe import ModelRecipe, Origin
from lineal.family.progress import StepProgress
from lineal.family.session import Inputs, LocalModel, Session
from lineal.methods.finetune import FullFineTune, Training
from lineal.methods.merge import GreedySoup
from lineal.methods.method import Method
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod

DOING: Mapping[Kind, str] = {
    "original": "training",
    "fine-tune": "training",
    "distillation": "distilling",
    "merge": "merging",
    "quantize": "quantizing",
    "prune": "pruning",
}


@final
@dataclass(frozen=True)
class Made:
    """What a maker learnt on the way: data hashes of the child's tensors and of the inputs it read whole.

    method: as it is to be recorded; a budget in tokens has become epochs, too, and a greedy soup has its ingredients.
    """

    method: Method
    leaves: Mapping[str, Leaf] = field(default_factory=dict[str, Leaf])
    inputs: DataHashes = field(default_factory=dict[str, dict[str, bytes]])


def make(session: Session, request: Request, scratch: Scratch) -> Made:
    """Fill the folder with the model's weights and package."""
    recipe, inputs = request.recipe, request.inputs
    match recipe.method:
        case GreedySoup() as method:
            picked = pick_ingredients(session, recipe, method, inputs, scratch)
            return _make_streamed(session, recipe, picked, plan_stream(picked, inputs), scratch)
        case StreamingMethod() | MergeRecipe() as method:
            return _make_streamed(session, recipe, method, request.plan or plan_stream(method, inputs), scratch)
        case Training() as method:
            return _make_training(session, recipe, method, inputs, scratch, request.hub_origins)
        case _:
            raise MethodError(f"{recipe.name}: nothing knows how to run {type(recipe.method).__name__}")


def _make_streamed(session: Session, recipe: ModelRecipe, method: Streamed, plan: StreamPlan, scratch: Scratch) -> Made:
    for remark in plan.remarks:
        session.progress.say(f"{recipe.name}: {remark}")
    title = f"{DOING[method.kind]} {recipe.name}"
    leaves, read = write_stream(
        session, plan, scratch.child, scratch.key, title, allow_nonfinite=recipe.allow_nonfinite
    )
    return Made(method, leaves, read)


def _make_training(
    session: Session,
    recipe: ModelRecipe,
    method: Training,
    inputs: Inputs,
    scratch: Scratch,
    hub_origins: Mapping[str, Origin],
) -> Made:
    require_training("training")
    from lineal.engines.inference.language_model import ModelFolder  # torch is imported only where something is trained
    from lineal.engines.train.train import train

    parent = next((local for role, local in inputs if role != "teacher"), None)
    _empty(scratch.child)
    scratch.work.mkdir(exist_ok=True)
    with StepProgress(session.progress, f"{DOING[method.kind]} {recipe.name}", "steps") as progress:
        report = train(
            method,
            data=recipe.data,
            out=scratch.child,
            scratch=scratch.work,
            parent=parent.folder if parent else None,
            parent_base=parent.base.folder if parent and parent.base else None,
            base=_base_name(parent, hub_origins) if parent else None,
            teachers=[
                ModelFolder(local.folder, local.base.folder if local.base else None, local.label)
                for role, local in inputs
                if role == "teacher"
            ],
            progress=progress,
            remark=lambda line: session.progress.say(f"{recipe.name}: {line}"),
        )
    if isinstance(method, FullFineTune) and parent is not None:
        model = full(parent)
        own_package(model, model.config).child().write_package(scratch.child)
    return Made(replace(method, epochs=report.epochs))


def _base_name(parent: LocalModel, hub_origins: Mapping[str, Origin]) -> BaseName:
    """Its id and commit on the Hub, where it comes from there; else the name it has here."""
    origin = hub_origins.get(parent.label, Origin())
    return BaseName(origin.hub or parent.label, origin.revision, parent.model_hash)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
