"""What a run would do: order, what is there already, parameters and bytes of what is not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, final

from lineal.checkpoint.layout import Planned
from lineal.engines.depth import block_count, shallower_config, shallower_names
from lineal.engines.extra import require_training
from lineal.errors import MethodError
from lineal.family.recipe import Family, ModelRecipe
from lineal.family.run import Workbench
from lineal.family.workshop import Placed, Workshop
from lineal.methods.distill import Distill
from lineal.methods.finetune import FullFineTune, Lora, Scratch
from lineal.methods.merge import AdapterMerge
from lineal.methods.streaming import StreamingMethod


@final
@dataclass(frozen=True)
class PlannedModel:
    """One line of a plan. parameters and tensor_bytes: of the model's own tensors."""

    name: str
    how: str
    parents: tuple[str, ...]
    status: Literal["present", "to build"]
    parameters: int
    tensor_bytes: int


@final
@dataclass(frozen=True)
class _Forecast:
    """What a model will consist of, whether it exists or not."""

    tensors: Sequence[Planned]
    config: Mapping[str, Any]
    base: "_Forecast | None" = None


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
            )
        )
    return planned


def _of_placed(placed: Placed) -> _Forecast:
    tensors = [Planned(spec.name, spec.dtype, spec.shape) for spec in placed.checkpoint.values()]
    base = _of_placed(placed.base) if placed.base else None
    return _Forecast(tensors, placed.checkpoint.config, base)


def _of_recipe(bench: Workbench, recipe: ModelRecipe, known: Mapping[str, _Forecast]) -> _Forecast:
    parents = [known[r.model] if r.model in known else _of_placed(bench.workshop.find(r.model)) for r in recipe.inputs]
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
        case AdapterMerge():
            return parents[-1].base or parents[0]
        case StreamingMethod():
            return parents[0].base or parents[0]
        case _:
            raise MethodError(f"{recipe.name}: nothing knows what {type(recipe.method).__name__} makes")


def _student(method: Distill, parent: _Forecast, name: str) -> _Forecast:
    """What a student begins as: its parent, cut to the blocks that it keeps."""
    if method.layers is None:
        return parent
    kept = method.kept_blocks(block_count(parent.config, name))
    renamed = shallower_names((tensor.name for tensor in parent.tensors), kept, name)
    tensors = [replace(tensor, name=renamed[tensor.name]) for tensor in parent.tensors if tensor.name in renamed]
    return _Forecast(tensors, shallower_config(parent.config, kept, name))
