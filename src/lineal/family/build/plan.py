"""What a run would do: order, what is there already, parameters and bytes of what is not."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, final

from lineal.engines.stream.plan import StreamPlan
from lineal.errors import AnswerIsNo
from lineal.family.build.forecasts import Forecast, as_stored, of_local
from lineal.family.build.makers.table import maker_of
from lineal.family.build.preflight import foresee
from lineal.family.build.run import FamilyRun
from lineal.family.file.recipe import Family, ModelRecipe
from lineal.family.hub.repository import hub_cache
from lineal.family.session import LocalModel, Session
from lineal.planning.disk import without_room
from lineal.planning.time import stream_seconds

Status = Literal["present", "to download", "to build", "unknown"]

_PROGRAM_BYTES = 185_000_000
"""The resident set of a merge of tiny models, measured: interpreter, numba, SQLAlchemy and their like."""


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
    forecasts: dict[str, Forecast] = {}
    planned: list[PlannedModel] = []
    for recipe in recipes:
        status, local = _status(run, recipe, originals)
        if local is not None:
            run.models[recipe.name] = local
        if local is None:
            forecast = _forecast(run, recipe, forecasts)
        elif recipe.name in parents:
            forecast = of_local(local)
        else:
            forecast = as_stored(local)  # nothing asks for more
        forecasts[recipe.name] = forecast
        stream = None if local else foresee(run.session, recipe, {**run.models, **start.elsewhere})
        maker = maker_of(recipe.made_by) if recipe.method is not None else None
        held = maker.working_bytes(stream, threads) if maker and stream else None
        costs = stream if held is not None else None
        planned.append(
            PlannedModel(
                name=recipe.name,
                how=f"{recipe.kind}, {recipe.method.name}" if recipe.method else "original",
                parents=tuple(reference.model for reference in recipe.inputs),
                status=status,
                parameters=forecast.parameters,
                tensor_bytes=sum(tensor.byte_length for tensor in forecast.tensors),
                bytes_read=costs.bytes_read if costs else None,
                memory_bytes=_PROGRAM_BYTES + held if held is not None else None,
                seconds=_seconds(costs, threads) if costs and maker and maker.planned_whole else None,
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
    if recipe.method is None:
        return ""
    return maker_of(recipe.made_by).note(sum(reference.role != "base" for reference in recipe.inputs))


def _forecast(run: FamilyRun, recipe: ModelRecipe, known: Mapping[str, Forecast]) -> Forecast:
    maker = maker_of(recipe.made_by)
    parents = [known[r.model] if r.model in known else of_local(run.session.find(r.model)) for r in recipe.inputs]
    return maker.forecast(recipe.method, parents, [reference.model for reference in recipe.inputs])
