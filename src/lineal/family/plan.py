"""What a run would do: order, what is there already, parameters and bytes of what is not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, final

from lineal.checkpoint.layout import Planned
from lineal.checkpoint.reader import Form
from lineal.checkpoint.roles import linear_layers
from lineal.engines.composition import composed
from lineal.engines.depth import block_count, shallower_config, shallower_names
from lineal.engines.extra import require_training
from lineal.engines.merging import recipe_config, stored_as
from lineal.engines.quantizing import gguf_tensors
from lineal.engines.sources import GGUF_IS_NO_PARENT
from lineal.errors import CheckpointError, MethodError
from lineal.family.recipe import Family, ModelRecipe
from lineal.family.run import Workbench
from lineal.family.workshop import Placed, Workshop
from lineal.methods.distill import Distill
from lineal.methods.finetune import FullFineTune, Lora, Scratch
from lineal.methods.merge import AdapterMerge, GreedySoup, MergeRecipe
from lineal.methods.quantize import GgufQuantization
from lineal.methods.streaming import StreamingMethod

_PRUNED = "zeros are stored like any weight: it is as large and as fast as its parent"


@final
@dataclass(frozen=True)
class PlannedModel:
    """One line of a plan. parameters and tensor_bytes: of the model's own tensors; note: what they do not tell."""

    name: str
    how: str
    parents: tuple[str, ...]
    status: Literal["present", "to build"]
    parameters: int
    tensor_bytes: int
    note: str


@final
@dataclass(frozen=True)
class _Forecast:
    """What a model will consist of, whether it exists or not."""

    tensors: Sequence[Planned]
    config: Mapping[str, Any]
    base: "_Forecast | None" = None
    form: Form = "full"


def plan_family(workshop: Workshop, family: Family, out: Path, wanted: Iterable[str] = ()) -> list[PlannedModel]:
    """Nothing is built and no weights are read, but for hashing originals that are not known yet."""
    bench = Workbench(workshop, family, out)
    forecasts: dict[str, _Forecast] = {}
    planned: list[PlannedModel] = []
    for recipe in bench.selected(wanted):
        placed = bench.present(recipe)
        if placed is not None:
            bench.placed[recipe.name] = placed
        forecast = _of_placed(placed) if placed else _of_recipe(bench, recipe, forecasts)
        forecasts[recipe.name] = forecast
        planned.append(
            PlannedModel(
                name=recipe.name,
                how=f"{recipe.kind}, {recipe.method.name}" if recipe.method else "original",
                parents=tuple(reference.model for reference in recipe.inputs),
                status="present" if placed else "to build",
                parameters=sum(tensor.elements for tensor in forecast.tensors),
                tensor_bytes=sum(tensor.byte_length for tensor in forecast.tensors),
                note=_note(recipe),
            )
        )
    return planned


def _note(recipe: ModelRecipe) -> str:
    if isinstance(recipe.method, GreedySoup):
        parents = sum(reference.role != "base" for reference in recipe.inputs)
        return f"its ingredients are picked by at most {2 * parents - 1} evaluations"
    return _PRUNED if recipe.kind == "prune" else ""


def _of_placed(placed: Placed) -> _Forecast:
    tensors = [Planned(spec.name, spec.dtype, spec.shape) for spec in placed.checkpoint.values()]
    base = _of_placed(placed.base) if placed.base else None
    config = {} if placed.form == "gguf" else placed.checkpoint.config
    return _Forecast(tensors, config, base, placed.form)


def _of_recipe(bench: Workbench, recipe: ModelRecipe, known: Mapping[str, _Forecast]) -> _Forecast:
    parents = _parents(bench, recipe, known)
    match recipe.method:
        case Scratch() as method:
            require_training("planning a training")
            from lineal.engines.forecast import original_config, original_tensors

            return _Forecast(original_tensors(method), original_config(method))
        case Lora() as method:
            require_training("planning a training")
            from lineal.engines.forecast import adapter_tensors

            return _Forecast(adapter_tensors(method, parents[0].config), {}, parents[0])
        case FullFineTune():
            return parents[0].base or parents[0]
        case Distill() as method:
            return _student(method, parents[-1].base or parents[-1], recipe.name)
        case MergeRecipe() as method:
            return _recipe(method, parents, [reference.model for reference in recipe.inputs])
        case AdapterMerge():
            return parents[-1].base or parents[0]
        case StreamingMethod() as method:
            return _streamed(method, parents[0].base or parents[0], recipe.inputs[-1].model)
        case _:
            raise MethodError(f"{recipe.name}: nothing knows what {type(recipe.method).__name__} makes")


def _parents(bench: Workbench, recipe: ModelRecipe, known: Mapping[str, _Forecast]) -> list[_Forecast]:
    found = [known[r.model] if r.model in known else _of_placed(bench.workshop.find(r.model)) for r in recipe.inputs]
    for reference, parent in zip(recipe.inputs, found, strict=True):
        if parent.form == "gguf":
            raise CheckpointError(f"{recipe.name}: {reference.model} {GGUF_IS_NO_PARENT}")
    return found


def _streamed(method: StreamingMethod, parent: _Forecast, label: str) -> _Forecast:
    """The tensors of the one parent, or of the first; what its planning would refuse is refused."""
    if isinstance(method, GgufQuantization):
        stored = [tensor.name for tensor in parent.tensors]
        return _Forecast(gguf_tensors(method, parent.config, stored, label), {}, form="gguf")
    if method.kind == "prune":
        shapes = {tensor.name: tensor.shape for tensor in parent.tensors}
        _ = linear_layers(shapes, parent.config.get("model_type"), label)
    return parent


def _recipe(method: MergeRecipe, parents: Sequence[_Forecast], labels: Sequence[str]) -> _Forecast:
    """The tensors that a recipe composes, in full even where a parent is an adapter."""
    full = [parent.base or parent for parent in parents]
    tensors = {index: {tensor.name: tensor for tensor in one.tensors} for index, one in enumerate(full)}
    planned: list[Planned] = []
    for tensor in composed(method, [tensors[index] for index in range(len(full))], labels):
        stretch, name = tensor.taken[0]
        source = tensors[stretch.model].get(name)
        if source is None:
            raise CheckpointError(f"{labels[stretch.model]}: has no {name!r}")
        planned.append(Planned(tensor.name, stored_as(method.dtype, source.dtype), source.shape))
    return _Forecast(planned, recipe_config(method, [one.config for one in full], labels[0]))


def _student(method: Distill, parent: _Forecast, name: str) -> _Forecast:
    """What a student begins as: its parent, cut to the blocks that it keeps."""
    if method.layers is None:
        return parent
    kept = method.kept_blocks(block_count(parent.config, name))
    renamed = shallower_names((tensor.name for tensor in parent.tensors), kept, name)
    tensors = [replace(tensor, name=renamed[tensor.name]) for tensor in parent.tensors if tensor.name in renamed]
    return _Forecast(tensors, shallower_config(parent.config, kept, name))
