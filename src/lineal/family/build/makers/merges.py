"""Merges: of weights as they are, of the ingredients that texts pick, of adapters into their base, and by recipes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from lineal.checkpoint.written.layout import Planned
from lineal.derivation.step import Role
from lineal.engines.extra import require_training
from lineal.engines.merge.composition import composed
from lineal.engines.merge.plan import plan_merge, plan_recipe, recipe_config, stored_as
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import MethodError
from lineal.family.build.forecasts import Forecast
from lineal.family.build.foreseen import Foreseen
from lineal.family.build.inputs import merge_inputs, recipe_inputs
from lineal.family.build.make import Made, make_streamed
from lineal.family.build.makers.maker import Maker, Streaming
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.soup import pick_ingredients, stream_soup
from lineal.family.build.streams import weights_of
from lineal.family.build.weights import full_weights
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import Inputs, Session
from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.soup import GreedySoup
from lineal.methods.method import Method
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod


class Merging(Streaming):
    def check_count(self, method: StreamingMethod, parents: Sequence[Foreseen], *, has_base: bool) -> None:
        adapts = any(parent.form == "adapter" for parent in parents)
        method.check(len(parents), has_base=(has_base or adapts) if method.uses_base else has_base and not adapts)

    def inputs(self, name: str, method: StreamingMethod, found: Inputs) -> Inputs:
        return merge_inputs(method, found)

    def plan(self, method: StreamingMethod, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        """Parents as full weights, adapters on the base, which itself takes part only where the method uses it."""
        base, models = weights_of(inputs)
        return plan_merge(method, models, base if method.uses_base else None)

    def donor(self, method: StreamingMethod, roles: Sequence[Role]) -> int | None:
        return roles.index("base") if "base" in roles else 0


class ApplyingAdapters(Merging):
    def check_count(self, method: StreamingMethod, parents: Sequence[Foreseen], *, has_base: bool) -> None:
        if parents and not any(parent.form == "adapter" for parent in parents):
            raise MethodError(f"adapter: {parents[0].label} is not an adapter")

    def inputs(self, name: str, method: StreamingMethod, found: Inputs) -> Inputs:
        models = [local for role, local in found if role != "base"]
        if not any(model.form == "adapter" for model in models):
            raise MethodError(f"adapter: {models[0].label} is not an adapter")
        return merge_inputs(method, found)

    def forecast(self, method: StreamingMethod, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return parents[-1].base or parents[0]


class PickingASoup(Merging):
    needs = "a greedy soup"
    planned_whole = False  # evaluations read more than the last pass

    def check_count(self, method: Any, parents: Sequence[Foreseen], *, has_base: bool) -> None:
        super().check_count(method.before_picking(len(parents)), parents, has_base=has_base)

    def plan(self, method: Any, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        return stream_soup(method, inputs)

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        require_training(self.needs)
        picked = pick_ingredients(session, request, cast(GreedySoup, request.method), scratch)
        return make_streamed(session, request, scratch, picked, stream_soup(picked, request.inputs))

    def note(self, parents: int) -> str:
        return f"its ingredients are picked by at most {2 * parents - 1} evaluations"


class FollowingARecipe(Streaming):
    def checks(
        self, recipe: ModelRecipe, models: Mapping[str, Foreseen], *, is_there: bool
    ) -> Sequence[Callable[[], None]]:
        return []  # its parts say which models they take

    def inputs(self, name: str, method: MergeRecipe, found: Inputs) -> Inputs:
        return recipe_inputs(method, found)

    def plan(self, method: MergeRecipe, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        base, _ = weights_of(inputs)
        return plan_recipe(method, [full_weights(local, base) for _, local in inputs])

    def forecast(self, method: MergeRecipe, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        """The tensors that a recipe composes, in full even where a parent is an adapter."""
        full = [parent.in_full for parent in parents]
        tensors = [{tensor.name: tensor for tensor in one.tensors} for one in full]
        planned: list[Planned] = []
        for tensor in composed(method, tensors, labels):
            stretch, name = tensor.taken[0]
            source = tensors[stretch.model][name]
            planned.append(Planned(tensor.name, stored_as(method.dtype, source.dtype), source.shape))
        return Forecast(planned, recipe_config(method, [one.config for one in full], labels[0]))

    def donor(self, method: MergeRecipe, roles: Sequence[Role]) -> int | None:
        return 0 if method.vocabulary is None else None


MAKERS: Sequence[tuple[type[Method], Maker]] = (
    (GreedySoup, PickingASoup()),
    (AdapterMerge, ApplyingAdapters()),
    (MergeRecipe, FollowingARecipe()),
    (StreamingMethod, Merging()),
)
