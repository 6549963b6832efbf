"""How trained weights come to lie in a folder."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from lineal.checkpoint.names.prediction_head import prediction_head
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.extra import require_training
from lineal.engines.merge.child_package import own_package
from lineal.engines.train.base_name import BaseName
from lineal.family.build.make import DOING, Made
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.weights import own_weights
from lineal.family.file.recipe import Origin
from lineal.family.progress import StepProgress
from lineal.family.session import LocalModel, Session
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.training import Training


def make_trained(session: Session, request: Request, scratch: Scratch) -> Made:
    """Train in the folder; full models get their package from their parent."""
    require_training("training")
    from lineal.engines.inference.language_model import ModelFolder  # torch is imported only where something is trained
    from lineal.engines.train.train import train

    name, method, inputs = request.name.name, cast(Training, request.method), request.inputs
    parent = next((local for role, local in inputs if role != "teacher"), None)
    shutil.rmtree(scratch.child, ignore_errors=True)
    scratch.child.mkdir(parents=True)
    scratch.work.mkdir(exist_ok=True)
    with StepProgress(session.progress, f"{DOING[method.kind]} {name}", "steps") as progress:
        report = train(
            method,
            data=request.data,
            out=scratch.child,
            scratch=scratch.work,
            parent=parent.path if parent else None,
            parent_base=parent.base.path if parent and parent.base else None,
            base=_base_name(parent, request.hub_origins) if parent else None,
            teachers=[
                ModelFolder(local.path, local.base.path if local.base else None, local.label)
                for role, local in inputs
                if role == "teacher"
            ],
            progress=progress,
            remark=lambda line: session.progress.say(f"{name}: {line}"),
        )
    if isinstance(method, FullFineTune) and parent is not None:
        model = own_weights(parent)
        own_package(model, model.config).child().write_package(scratch.child)
    for line in _left_out(parent, scratch):
        session.progress.say(f"{name}: {line}")
    return Made(replace(method, epochs=report.epochs))


def _left_out(parent: LocalModel | None, scratch: Scratch) -> Iterator[str]:
    """What transformers does not read of the parent, and so does not write into a model in full."""
    child = open_checkpoint(scratch.child)
    if parent is not None and child.form == "full":
        model = own_weights(parent)
        lost = prediction_head(model.sources, model.config) - child.keys()
        if lost:
            yield f"the prediction head of {parent.label} is left out ({len(lost)} tensors): transformers trains none"


def _base_name(parent: LocalModel, hub_origins: Mapping[str, Origin]) -> BaseName:
    """Its id and commit on the Hub, where it comes from there; else the name it has here."""
    origin = hub_origins.get(parent.label, Origin())
    return BaseName(origin.hub or parent.label, origin.revision, parent.model_hash)
