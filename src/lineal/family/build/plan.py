"""What a run would do: order, what is there already, parameters and bytes of what is not."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, final

from lineal.checkpoint.names.roles import linear_layers
from lineal.checkpoint.reader import Form
from lineal.checkpoint.written.layout import Planned
from lineal.engines.architecture.depth import block_count, check_blocks, shallower_config, shallower_names
from lineal.engines.extra import require_training
from lineal.engines.merge.composition import composed
from lineal.engines.merge.plan import recipe_config, stored_as
from lineal.engines.parents.model import GGUF_IS_NO_PARENT, full_model
from lineal.engines.quantize.gguf_plan import gguf_tensors, gguf_weights
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import AnswerIsNo, CheckpointError, MethodError
from lineal.family.build.preflight import foresee
from lineal.family.build.run import FamilyRun
from lineal.family.build.streams import Streamed
from lineal.family.file.recipe import Family, ModelRecipe
from lineal.family.hub.repository import hub_cache
from lineal.family.session import LocalModel, Session
from lineal.methods.distill import Distill
from lineal.methods.finetune import FullFineTune, Lora, Scratch
from lineal.methods.merge import AdapterMerge, GreedySoup
from lineal.methods.quantize import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod
from lineal.planning.disk import without_room
from lineal.planning.time import stream_seconds

Status = Literal["present", "to download", "to build", "unknown"]

_PROGRAM_BYTES = 185_000_000
"""The resident set of a merge of tiny models, measured: interpreter, numba, SQLAlchemy and their like."""

_PRUNED = "zeros are stored like any weight: it is as large and as fast as its parent"


@final
@dataclass(frozen=True)
class PlannedModel:
    """One line of a plan. parameters and tensor_bytes: of the model's own tensors; note: what they do not tell.

    bytes_read: by a streamed derivation, all its passes together; memory_bytes: at its peak, the program included;
    seconds: the least and the most that is likely. None where that is not known.
    """

    name: str
    how: str
    parents: tuple[str, ...]
    status: Status
    parameters: int
    tensor_bytes: int
    bytes_read: int | None
    memory_bytes: int | None
    seconds: tuple[float, float] | None
    note: str


@final
@dataclass(frozen=True)
class _Forecast:
    """What a model will consist of, whether it exists or not; base: in full, where it is an adapter or a GGUF."""

    tensors: Sequence[Planned]
    config: Mapping[str, Any]
    base: "_Forecast | None" = None
    form: Form = "full"


def plan_family(session: Session, family: Family, out: Path, wanted: Iterable[str] = ()) -> list[PlannedModel]:
    """Nothing is built, downloaded, registered or named; weights are read to tell whether a model is up to date."""
    with TemporaryDirectory(prefix="lineal-headers-") as headers:
        return _plan(FamilyRun(session, family, out), Path(headers), wanted)


def require_room(plan: Iterable[PlannedModel], out: Path) -> None:
    """The answer is no where what is to be downloaded and built is more than the disks have free."""
    places: Mapping[Status, Path] = {"to build": out, "unknown": out, "to download": hub_cache()}
    writes = [(places[model.status], model.tensor_bytes) for model in plan if model.status in places]
    lacking = without_room(writes)
    if lacking:
        raise AnswerIsNo(*lacking)


def _plan(run: FamilyRun, headers: Path, wanted: Iterable[str]) -> list[PlannedModel]:
    recipes = run.selected(wanted)
    threads = run.session.threads or os.cpu_count() or 1
    start = run.preflight(recipes, headers)
    originals = start.originals
    run.require_licences(recipes, originals)
    parents = {reference.model for recipe in recipes for reference in recipe.inputs}
    forecasts: dict[str, _Forecast] = {}
    planned: list[PlannedModel] = []
    for recipe in recipes:
        status, local = _status(run, recipe, originals)
        if local is not None:
            run.models[recipe.name] = local
        if local is None:
            forecast = _of_recipe(run, recipe, forecasts)
        elif recipe.name in parents:
            forecast = _of_placed(local)
        else:
            forecast = _Forecast(_stored(local), {})  # nothing asks for more
        forecasts[recipe.name] = forecast
        stream = None if local else foresee(run.session, recipe, {**run.models, **start.elsewhere})
        costs = None if isinstance(recipe.method, GreedySoup) else stream  # evaluations are more than the last pass
        planned.append(
            PlannedModel(
                name=recipe.name,
                how=f"{recipe.kind}, {recipe.method.name}" if recipe.method else "original",
                parents=tuple(reference.model for reference in recipe.inputs),
                status=status,
                parameters=sum(tensor.elements for tensor in forecast.tensors),
                tensor_bytes=sum(tensor.byte_length for tensor in forecast.tensors),
                bytes_read=costs.bytes_read if costs else None,
                memory_bytes=_PROGRAM_BYTES + costs.working_bytes(threads) if costs else None,
                seconds=_seconds(costs, threads) if costs else None,
                note="; ".join([*filter(None, [_note(recipe, status)]), *(stream.remarks if stream else ())]),
            )
        )
    return planned


def _seconds(stream: StreamPlan, threads: int) -> tuple[float, float]:
    written = sum(planned.byte_length for planned in stream.planned)
    return stream_seconds(stream.bytes_read, written, threads)


def _status(
    run: FamilyRun, recipe: ModelRecipe, originals: Mapping[str, LocalModel]
) -> tuple[Status, LocalModel | None]:
    """An original that is not here yet has no hash, so whether what was made from it is up to date is not known."""
    if recipe.name in originals:
        original = originals[recipe.name]
        return "to download" if original.checkpoint.headers_only else "present", original
    unhashed = any(r.model in originals and originals[r.model].checkpoint.headers_only for r in recipe.inputs)
    if unhashed:
        return "unknown" if (run.out / recipe.name).exists() else "to build", None
    local = run.present(recipe)
    return "present" if local else "to build", local


def _note(recipe: ModelRecipe, status: Status) -> str:
    if status == "unknown":
        return "whether it is up to date is unknown until its original is downloaded"
    if status == "to download":
        return "seen by its headers; its model hash is unknown until downloaded"
    if isinstance(recipe.method, GreedySoup):
        parents = sum(reference.role != "base" for reference in recipe.inputs)
        return f"its ingredients are picked by at most {2 * parents - 1} evaluations"
    return _PRUNED if recipe.kind == "prune" else ""


def _of_placed(local: LocalModel) -> _Forecast:
    config = {} if local.form == "gguf" else local.checkpoint.config
    return _Forecast(_stored(local), config, _full_weights(local), local.form)


def _stored(local: LocalModel) -> list[Planned]:
    return [Planned(spec.name, spec.dtype, spec.shape) for spec in local.checkpoint.values()]


def _full_weights(local: LocalModel) -> _Forecast | None:
    """The base of an adapter, or a model as a merge sees it; nothing of one that no merge could take."""
    if local.form == "adapter":
        return None if local.base is None else _full_weights(local.base) or _of_placed(local.base)
    try:
        model = full_model(local.label, local.checkpoint)
    except CheckpointError:
        return None
    return _Forecast([Planned(name, source.dtype, source.shape) for name, source in model.items()], model.config)


def _of_recipe(run: FamilyRun, recipe: ModelRecipe, known: Mapping[str, _Forecast]) -> _Forecast:
    parents = _parents(run, recipe, known)
    match recipe.method:
        case Scratch() as method:
            require_training("planning a training")
            from lineal.engines.train.forecast import original_config, original_tensors

            return _Forecast(original_tensors(method), original_config(method))
        case Lora() as method:
            require_training("planning a training")
            from lineal.engines.train.forecast import adapter_tensors

            return _Forecast(adapter_tensors(method, parents[0].config), {}, parents[0])
        case FullFineTune():
            return parents[0].base or parents[0]
        case Distill() as method:
            return _student(method, parents[-1].base or parents[-1], recipe.name)
        case StreamingMethod() | MergeRecipe() as method:
            return _streamed(method, parents, [reference.model for reference in recipe.inputs])
        case _:
            raise MethodError(f"{recipe.name}: nothing knows what {type(recipe.method).__name__} makes")


def _parents(run: FamilyRun, recipe: ModelRecipe, known: Mapping[str, _Forecast]) -> list[_Forecast]:
    found = [known[r.model] if r.model in known else _of_placed(run.session.find(r.model)) for r in recipe.inputs]
    for reference, parent in zip(recipe.inputs, found, strict=True):
        if parent.form == "gguf" and (recipe.kind != "merge" or parent.base is None):
            raise CheckpointError(f"{recipe.name}: {reference.model} {GGUF_IS_NO_PARENT}")
    return found


def _streamed(method: Streamed, parents: Sequence[_Forecast], labels: Sequence[str]) -> _Forecast:
    """The tensors of the one parent, or of the first; what its planning would refuse is refused."""
    if isinstance(method, MergeRecipe):
        return _recipe(method, parents, labels)
    if isinstance(method, AdapterMerge):
        return parents[-1].base or parents[0]
    parent, label = parents[0].base or parents[0], labels[-1]
    if isinstance(method, GgufQuantization):
        stored = [tensor.name for tensor in parent.tensors]
        full = _Forecast(gguf_weights(method, parent.config, stored), parent.config)
        return _Forecast(gguf_tensors(method, parent.config, stored, label), {}, full, form="gguf")
    if method.kind == "prune":
        shapes = {tensor.name: tensor.shape for tensor in parent.tensors}
        _ = linear_layers(shapes, parent.config.get("model_type"), label)
    return parent


def _recipe(method: MergeRecipe, parents: Sequence[_Forecast], labels: Sequence[str]) -> _Forecast:
    """The tensors that a recipe composes, in full even where a parent is an adapter."""
    full = [parent.base or parent for parent in parents]
    tensors = [{tensor.name: tensor for tensor in one.tensors} for one in full]
    planned: list[Planned] = []
    for tensor in composed(method, tensors, labels):
        stretch, name = tensor.taken[0]
        source = tensors[stretch.model][name]
        planned.append(Planned(tensor.name, stored_as(method.dtype, source.dtype), source.shape))
    return _Forecast(planned, recipe_config(method, [one.config for one in full], labels[0]))


def _student(method: Distill, parent: _Forecast, name: str) -> _Forecast:
    """What a student begins as: its parent, cut to the blocks that it keeps."""
    if method.layers is None:
        return parent
    kept = method.kept_blocks(block_count(parent.config, name))
    check_blocks(parent.config, {tensor.name: tensor.shape for tensor in parent.tensors}, name)
    renamed = shallower_names((tensor.name for tensor in parent.tensors), kept, name)
    tensors = [replace(tensor, name=renamed[tensor.name]) for tensor in parent.tensors if tensor.name in renamed]
    return _Forecast(tensors, shallower_config(parent.config, kept, name))
