"""A whole family: find what its models are made from, build what is missing, in order."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, final

from lineal.derivation.hashes import HASH_LENGTH
from lineal.derivation.step import Role
from lineal.errors import UsageError
from lineal.family.build.build import build, existing
from lineal.family.build.licensing import judge_family, keep_statements
from lineal.family.build.makers.table import inputs_of, plan_stream
from lineal.family.build.preflight import StartingModels, preflight
from lineal.family.build.request import Request, rules_of
from lineal.family.file.dependency_order import dependency_order
from lineal.family.file.recipe import Family, ModelRecipe, Origin
from lineal.family.hub.repository import snapshot
from lineal.family.session import LocalModel, Session, register
from lineal.lineage.licensing.graph import Judgement, refuse_conflicts
from lineal.lineage.records.licences import UNKNOWN
from lineal.lineage.records.records import Name
from lineal.lineage.stated import recipe_files
from lineal.methods.method import nearest
from lineal.shown import quoted

_UNKNOWN = bytes(HASH_LENGTH)


@final
@dataclass
class FamilyRun:
    """A family on this machine: its models as they are found or built, one after the other."""

    session: Session
    family: Family
    out: Path
    models: dict[str, LocalModel] = field(default_factory=dict[str, LocalModel])
    licences: dict[str, Judgement] = field(default_factory=dict[str, Judgement])

    def selected(self, wanted: Iterable[str]) -> list[ModelRecipe]:
        """The recipes of the wanted models (all by default) and of what they need, parents first."""
        names = list(wanted)
        for name in names:
            if name not in self.family.models:
                raise UsageError(f"the family has no model {quoted(name)} ({nearest(name, self.family.models)})")
        ordered = dependency_order(self.family.models, names or None)
        return [self.family.models[name] for name in ordered]

    def request(self, recipe: ModelRecipe) -> Request:
        """Everything that building a derived or trained model takes; its parents must have been found or built."""
        method = recipe.made_by
        hub = {
            str(self.name(name)): model.origin
            for name, model in self.family.models.items()
            if model.origin and model.origin.hub
        }
        licence = self.licences[recipe.name].joined if recipe.name in self.licences else UNKNOWN
        found: list[tuple[Role, LocalModel]] = [(r.role, self._find(r.model)) for r in recipe.inputs]
        inputs = inputs_of(self.session, recipe.name, method, found)
        plan = plan_stream(method, inputs, recipe.data)
        return Request(
            name=self.name(recipe.name),
            method=method,
            inputs=inputs,
            target=self.out / recipe.name,
            data=recipe.data,
            hub_origins=hub,
            allow_nonfinite=recipe.allow_nonfinite,
            rules=rules_of(method, inputs, recipe.data) if plan is None else plan.rules,
            licence=licence,
            plan=plan,
        )

    def name(self, model: str) -> Name:
        return Name(self.family.name, model, _UNKNOWN)

    def find_original(self, recipe: ModelRecipe) -> LocalModel:
        """An original that is not made here: found, hashed, registered and named."""
        origin = cast(Origin, recipe.origin)
        folder = snapshot(origin.hub, str(origin.revision)) if origin.hub else cast(Path, origin.path)
        local = self.session.identify(self.session.open(str(self.name(recipe.name)), folder))
        model_hash = register(self.session, local)
        self.session.registry.set_name(Name(self.family.name, recipe.name, model_hash))
        return local

    def present(self, recipe: ModelRecipe) -> LocalModel | None:
        """A derived model if it is there already; nothing is made or recorded."""
        if any(r.model in self.family.models and r.model not in self.models for r in recipe.inputs):
            return None
        if not (self.out / recipe.name).exists():  # a plan may read weights
            return None
        found = existing(self.session, self.request(recipe))
        return found[0] if found else None

    def preflight(self, recipes: Sequence[ModelRecipe], headers: Path) -> StartingModels:
        """What the recipes begin with; what stands against any of them is refused at once, all of it in one error."""
        labels = {recipe.name: str(self.name(recipe.name)) for recipe in recipes}
        return preflight(self.session, self.family, recipes, self.out, labels, headers)

    def require_licences(self, recipes: Iterable[ModelRecipe], originals: Mapping[str, LocalModel]) -> None:
        """Find the effective licences of all these models; the answer is no where some cannot be kept together."""
        self.licences = judge_family(self.session, self.family, recipes, originals)
        refuse_conflicts(self.licences.values())

    def _find(self, reference: str) -> LocalModel:
        return self.models[reference] if reference in self.family.models else self.session.find(reference)


def run_family(session: Session, family: Family, out: Path, wanted: Iterable[str] = ()) -> Mapping[str, LocalModel]:
    """Build what is missing of the wanted models and their ancestors; the finished models by name."""
    run = FamilyRun(session, family, out)
    recipes = run.selected(wanted)
    with TemporaryDirectory(prefix="lineal-headers-") as headers:
        run.require_licences(recipes, run.preflight(recipes, Path(headers)).originals)
    for recipe in recipes:
        if recipe.origin is None:
            began = time.monotonic()
            request = run.request(recipe)
            built = build(session, request)
            run.models[recipe.name] = built.local
            done = "up to date" if built.was_present else f"done in {time.monotonic() - began:.1f} s"
            session.progress.say(f"{recipe.name}: {done}")
        else:
            run.models[recipe.name] = run.find_original(recipe)
        keep_statements(session, family, recipe, run.models[recipe.name].model_hash)
        if family.file is not None:
            recipe_files.keep(session.registry, run.models[recipe.name].model_hash, family.file)
    return run.models
