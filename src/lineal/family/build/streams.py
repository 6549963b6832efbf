"""Streamed derivations in terms of models that lie here: the engine's plan of each, and the child written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import CODES_ARE_NO_PARENT, Model, full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.family.build.weights import full_weights
from lineal.family.session import Inputs, Session
from lineal.methods.merge import GreedySoup, Linear
from lineal.methods.quantize import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod


def stream_merge(method: StreamingMethod, inputs: Inputs) -> StreamPlan:
    """Parents are seen as full weights, adapters on the base, which itself takes part only where the method uses it."""
    base, models = _weights(inputs)
    return plan_merge(method, models, base if method.uses_base else None)


def stream_recipe(method: MergeRecipe, inputs: Inputs) -> StreamPlan:
    base, _ = _weights(inputs)
    return plan_recipe(method, [full_weights(local, base) for _, local in inputs])


def stream_soup(method: GreedySoup, inputs: Inputs) -> StreamPlan:
    """The mean of the ingredients; what does not go in is checked like the rest, but not read.

    While they are not picked, all models are taken for ingredients.
    """
    _, models = _weights(inputs)
    soup = method.before_picking(len(models))
    plan = plan_merge(soup, models)
    jobs = (
        replace(job, models=tuple(job.models[place] for place in soup.ingredients), method=Linear())
        if job.method
        else job
        for job in plan.jobs
    )
    return replace(plan, jobs=tuple(jobs))


def stream_pruning(method: StreamingMethod, inputs: Inputs) -> StreamPlan:
    return plan_pruning(method, _only(method, inputs))


def stream_gguf(method: GgufQuantization, inputs: Inputs) -> StreamPlan:
    return plan_gguf(method, _only(method, inputs))


def write_stream(
    session: Session, plan: StreamPlan, folder: Path, key: str, title: str, *, allow_nonfinite: bool
) -> tuple[Mapping[str, Leaf], DataHashes]:
    """Write the planned child; what a killed run with the same key finished stays. Also: what was read, hashed."""
    with (
        CheckpointWriter(folder, plan.child.lay_out(plan.planned), key) as writer,
        session.progress.task(title, plan.bytes_read, "bytes") as advance,
    ):
        read = stream(plan.jobs, writer, threads=session.threads, allow_nonfinite=allow_nonfinite, bytes_done=advance)
        writer.seal()
        plan.child.write_package(folder)
        return dict(writer.leaves), read


def _weights(inputs: Inputs) -> tuple[Model | None, Sequence[Model]]:
    """The base, and the others as full weights."""
    base = next((full_model(local.label, local.checkpoint) for role, local in inputs if role == "base"), None)
    return base, [full_weights(local, base) for role, local in inputs if role != "base"]


def _only(method: StreamingMethod, inputs: Inputs) -> Model:
    _, models = _weights(inputs)
    codes = next((model for model in models if model.is_codes), None)
    if codes is not None:
        raise CheckpointError(f"{codes.name}: {codes.folder} {CODES_ARE_NO_PARENT}")
    method.check_models(len(models))
    return models[0]
