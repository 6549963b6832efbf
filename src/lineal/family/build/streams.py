"""A streamed derivation in terms of models: which inputs its step records, and what the engine is given for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.derivation.hashes import HASH_LENGTH, format_hash
from lineal.derivation.step import Input, Role, Step
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import CODES_ARE_NO_PARENT, Model, full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError, MethodError
from lineal.family.session import Inputs, LocalModel, Session
from lineal.methods.merge import AdapterMerge, GreedySoup, Linear
from lineal.methods.quantize import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod

Streamed: TypeAlias = StreamingMethod | MergeRecipe
"""What the streaming engine can run."""


def recipe_inputs(recipe: MergeRecipe, inputs: Inputs) -> Inputs:
    """Inputs in their order, which the parts refer to; behind them the base of adapters, where it is not there."""
    adapter_bases = {adapter.base.model_hash: adapter.base for _, adapter in inputs if adapter.base}
    base = next((local for role, local in inputs if role == "base"), None)
    adapters = [local for _, local in inputs if local.form == "adapter"]
    full_base = base or next(iter(adapter_bases.values()), None)
    for adapter in adapters:
        _check_adapter(recipe.method, adapter, full_base)
    roles: list[tuple[Role, LocalModel]] = [
        ("adapter" if role == "parent" and local.form == "adapter" else role, local) for role, local in inputs
    ]
    return (*roles, ("base", full_base)) if adapters and base is None and full_base else tuple(roles)


def stream_inputs(method: StreamingMethod, base: LocalModel | None, parents: Sequence[LocalModel]) -> Inputs:
    """Inputs in the order a step records them: the base, if the method or an adapter needs one, then the parents."""
    adapters = [parent for parent in parents if parent.form == "adapter"]
    if isinstance(method, AdapterMerge) and not adapters:
        raise MethodError(f"adapter: {parents[0].label} is not an adapter")
    if base is not None and base.form == "adapter":
        raise MethodError(f"{method.name}: the base {base.label} is an adapter; a base is a model in full")
    full_base = base or next((adapter.base for adapter in adapters if adapter.base), None)
    for adapter in adapters:
        _check_adapter(method.name, adapter, full_base)
    if base is None and adapters and method.base_is_optional:
        raise MethodError(
            f"{method.name}: {adapters[0].label} is an adapter; name its base, for a merge of task vectors, "
            "or make it part of its base first, for a merge of weights"
        )
    if base is not None and not method.uses_base and not adapters:
        method.check(len(parents), has_base=True)
    shown = full_base if method.uses_base or adapters else None
    roles: list[tuple[Role, LocalModel]] = [(_role(method, parent), parent) for parent in parents]
    return (("base", shown), *roles) if shown else tuple(roles)


def plan_stream(method: Streamed, inputs: Inputs) -> StreamPlan:
    """The engine's plan for a step's inputs: adapters are seen as full weights on the base.

    Inputs that no step of this method could have are refused here, before a weight is read.
    """
    _ = Step(
        type=method.kind,
        method=method.name,
        inputs=tuple(Input(role, bytes(HASH_LENGTH)) for role, _ in inputs),
        options=method.options(),
    )
    base = next((full_model(local.label, local.checkpoint) for role, local in inputs if role == "base"), None)
    if isinstance(method, MergeRecipe):
        return plan_recipe(method, [full_weights(local, base) for _, local in inputs])
    models = [full_weights(local, base) for role, local in inputs if role != "base"]
    codes = next((model for model in models if model.is_codes), None)
    if method.kind != "merge" and codes is not None:
        raise CheckpointError(f"{codes.name}: {codes.folder} {CODES_ARE_NO_PARENT}")
    match method:
        case GgufQuantization():
            method.check_models(len(models))
            return plan_gguf(method, models[0])
        case StreamingMethod(kind="prune"):
            method.check_models(len(models))
            return plan_pruning(method, models[0])
        case GreedySoup():
            return _read_ingredients(plan_merge(method, models), method)
        case _:
            return plan_merge(method, models, base if method.uses_base else None)


def foreseen_stream(method: Streamed, inputs: Inputs) -> StreamPlan:
    """The same while a greedy soup's ingredients are not picked."""
    if isinstance(method, GreedySoup):
        method = method.before_picking(sum(role != "base" for role, _ in inputs))
    return plan_stream(method, inputs)


def _read_ingredients(plan: StreamPlan, soup: GreedySoup) -> StreamPlan:
    """The same means, with what does not go in checked like the rest, but not read."""
    jobs = (
        replace(job, models=tuple(job.models[place] for place in soup.ingredients), method=Linear())
        if job.method
        else job
        for job in plan.jobs
    )
    return replace(plan, jobs=tuple(jobs))


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


def _role(method: StreamingMethod, parent: LocalModel) -> Role:
    """In a merge an adapter is told from the others; what derives from one model has one parent, whatever its form."""
    return "adapter" if method.kind == "merge" and parent.form == "adapter" else "parent"


def full_weights(local: LocalModel, base: Model | None) -> Model:
    """The model as full weights; base: what an adapter stands on."""
    if local.form != "adapter":
        return full_model(local.label, local.checkpoint)
    if base is None:
        raise CheckpointError(f"{local.label}: an adapter whose base is not known here")
    return full_model(local.label, base.checkpoint, local.checkpoint)


def _check_adapter(method: str, adapter: LocalModel, full_base: LocalModel | None) -> None:
    if full_base is None:
        raise MethodError(f"{method}: the base of the adapter {adapter.label} is not known; name it as base")
    if adapter.base_hash not in (None, full_base.model_hash):
        theirs = adapter.base.label if adapter.base else format_hash(adapter.base_hash)[:11]
        raise MethodError(
            f"{method}: {adapter.label} is an adapter of {theirs}, not of {full_base.label}; "
            "merge it into its own base first"
        )
