"""What can be known of a family before anything is downloaded, hashed or built; a run and its plan refuse the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

from lineal.derivation.step import Role
from lineal.engines.parents.model import full_model
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.text.documents import read_documents
from lineal.family.build.findings import Findings
from lineal.family.build.foreseeing import foreseen_models
from lineal.family.build.makers.table import foresee_stream, inputs_of, maker_of
from lineal.family.build.recipe_faults import recipe_faults
from lineal.family.build.streams import full_weights
from lineal.family.file.recipe import Family, ModelRecipe, Origin
from lineal.family.hub.headers import read_headers
from lineal.family.hub.repository import cached_snapshot
from lineal.family.session import LocalModel, Session


@final
@dataclass(frozen=True)
class StartingModels:
    """The models that recipes begin with, by the names they use; none is registered or named."""

    originals: dict[str, LocalModel]
    elsewhere: dict[str, LocalModel]


def preflight(
    session: Session, family: Family, recipes: Sequence[ModelRecipe], out: Path, labels: dict[str, str], headers: Path
) -> StartingModels:
    """Everything that recipes begin with; all that stands against any of them is one error.

    headers: a folder of the caller's for stand-ins of what is still on the Hub, to be removed.
    """
    findings = Findings(family)
    start = StartingModels({}, {})
    for recipe in recipes:
        if recipe.origin is not None:
            with findings.of(recipe):
                label = labels[recipe.name]
                start.originals[recipe.name] = see_original(session, label, recipe.origin, headers)
        for name in {r.model for r in recipe.inputs if r.model not in family.models} - start.elsewhere.keys():
            with findings.of(recipe):
                start.elsewhere[name] = session.find(name)
    local = {**start.originals, **start.elsewhere}
    models = foreseen_models(recipes, local, labels)
    for recipe in recipes:
        found = list(recipe_faults(recipe, models, local, out / recipe.name)) if recipe.origin is None else []
        for fault in found:
            findings.add(recipe, fault)
        if not found:
            with findings.of(recipe):
                _ = foresee(session, recipe, local)
    for path in family.texts.values():
        with findings.of(None):
            _ = read_documents(path)
    findings.raise_if_any()
    return start


def see_original(session: Session, label: str, origin: Origin, headers: Path) -> LocalModel:
    """An original as it lies here; one on the Hub as a stand-in under `headers`. Nothing is registered."""
    if origin.hub is None:
        return session.open(label, cast(Path, origin.path))
    revision = str(origin.revision)
    folder = cached_snapshot(origin.hub, revision)
    if folder is not None:
        return session.open(label, folder)
    stand_in = headers / origin.hub.replace("/", "--") / revision
    return LocalModel(label, read_headers(origin.hub, revision, stand_in))


def foresee(session: Session, recipe: ModelRecipe, local: Mapping[str, LocalModel]) -> StreamPlan | None:
    """The engine's plan of a streamed derivation, where all its inputs are among `local`."""
    method = recipe.method
    if method is None or maker_of(method).is_trained:
        return None
    known: list[tuple[Role, LocalModel]] = [(r.role, local[r.model]) for r in recipe.inputs if r.model in local]
    if len(known) < len(recipe.inputs):
        return None
    stand_in = next((model for role, model in known if role == "base" and model.checkpoint.headers_only), None)
    if stand_in is not None and any(model.form == "adapter" for _, model in known):  # its base has no hash yet
        _fit(stand_in, [model for role, model in known if role != "base"])
        return None
    return foresee_stream(method, inputs_of(session, recipe.name, method, known), recipe.data)


def _fit(base: LocalModel, models: Sequence[LocalModel]) -> None:
    """Refuse adapters that do not fit the headers of a base that is still on the Hub."""
    base_model = full_model(base.label, base.checkpoint)
    for model in models:
        _ = full_weights(model, base_model)
