"""Calibrated derivations: one model, block by block, with what a text makes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.derivation.step import Role
from lineal.engines.calibrate.plan import walk_bytes
from lineal.engines.extra import require_training
from lineal.engines.parents.model import Model
from lineal.engines.quantize.packed_plan import packed_tensors, plan_packed
from lineal.engines.stream.notes import measured_in
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.family.build.forecasts import Forecast
from lineal.family.build.foreseen import Foreseen, in_roles
from lineal.family.build.inputs import single_inputs
from lineal.family.build.make import DOING, Made
from lineal.family.build.makers.maker import Maker
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.streams import only_model
from lineal.family.build.weights import own_weights
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import Inputs, Session
from lineal.methods.calibrated import CalibratedMethod
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.quantize.packed_schemes import StoresPacked

_TORCH_BYTES = 410 << 20
"""What torch and transformers take beside the program without them; measured on a model of 135 M parameters."""


class Calibrating(Maker):
    """What the calibrated engine computes, into a child that the streaming engine's plan describes."""

    planned_whole = False  # what is read of the embedding is read twice
    needs = "calibration"

    def inputs(self, name: str, method: CalibratedMethod, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def checks(
        self, recipe: ModelRecipe, models: Mapping[str, Foreseen], *, is_there: bool
    ) -> Sequence[Callable[[], None]]:
        return [] if is_there else [partial(_check, cast(CalibratedMethod, recipe.method), recipe, models)]

    def plan(self, method: CalibratedMethod, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        return plan_packed(cast(StoresPacked, method), AdapterMerge(), only_model(method, inputs))

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        require_training(self.needs)
        from lineal.engines.calibrate.block_walk import Walk
        from lineal.engines.calibrate.calibration import prepared

        method, plan = cast(CalibratedMethod, request.method), cast(StreamPlan, request.plan)
        name, model = request.name.name, only_model(method, request.inputs)

        def say(line: str) -> None:
            session.progress.say(f"{name}: {line}")

        for remark in plan.remarks:
            say(remark)
        measured = plan.each(lambda job: replace(job, measured=True))
        work = prepared(method, model, request.data, measured, say)
        with (
            CheckpointWriter(scratch.child, plan.child.lay_out(plan.planned), scratch.key) as writer,
            session.progress.task(f"{DOING[method.kind]} {name}", len(work.plan.blocks), "blocks") as advance,
        ):
            read = Walk(method, *work, scratch.work, session.threads, advance).run(writer)
            writer.seal()
            plan.child.write_package(scratch.child)
            return Made(method, dict(writer.leaves), read, measured_in(writer.notes))

    def forecast(self, method: CalibratedMethod, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        parent = parents[0].in_full
        planned = packed_tensors(cast(StoresPacked, method), parent.tensors, parent.config, labels[-1])
        return Forecast(planned, parent.config, parent, counted=parent.parameters)

    def working_bytes(self, plan: StreamPlan, threads: int) -> int | None:
        return _TORCH_BYTES + walk_bytes(plan)

    def donor(self, method: CalibratedMethod, roles: Sequence[Role]) -> int | None:
        return roles.index("base") if "base" in roles else 0

    def note(self, parents: int) -> str:
        return "goes block by block, with a text's activations in a file beside it; its memory is that of one block"


def _check(method: CalibratedMethod, recipe: ModelRecipe, models: Mapping[str, Foreseen]) -> None:
    """What needs torch, asked only where it will be needed anyway; a text, and a tokenizer to read it with."""
    require_training("calibration")
    from lineal.engines.inference.next_token import no_next_token

    for model in in_roles(recipe, models):
        if model.full is not None and (why := no_next_token(model.full.config)):
            raise CheckpointError(f"{model.label}: {why}")
        if model.local is not None:
            _check_model(method, own_weights(model.local))


def _check_model(method: CalibratedMethod, model: Model) -> None:
    bound = model.config.get("text_config", model.config).get("max_position_embeddings")
    method.check_positions(bound if isinstance(bound, int) else None)
    if not model.has_tokenizer:
        raise CheckpointError(f"{model.name}: no tokenizer lies there to read the calibration text with")
