"""Merges: of weights as they are, of the ingredients that texts pick, of adapters into their base, and by recipes."""

from collections.abc import Sequence
from typing import Any, cast

from lineal.derivation.step import Role
from lineal.engines.extra import require_training
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.forecasts import Forecast, forecast_recipe
from lineal.family.build.inputs import merge_inputs, recipe_inputs
from lineal.family.build.make import Made, make_streamed
from lineal.family.build.makers.maker import Streaming
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.soup import pick_ingredients
from lineal.family.build.streams import stream_merge, stream_recipe, stream_soup
from lineal.family.session import Inputs, Session
from lineal.methods.merge import GreedySoup
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod


class Merging(Streaming):
    takes_gguf = True

    def inputs(self, name: str, method: StreamingMethod, found: Inputs) -> Inputs:
        return merge_inputs(method, found)

    def plan(self, method: StreamingMethod, inputs: Inputs) -> StreamPlan:
        return stream_merge(method, inputs)

    def donor(self, method: StreamingMethod, roles: Sequence[Role]) -> int | None:
        return roles.index("base") if "base" in roles else 0


class ApplyingAdapters(Merging):
    def forecast(self, method: StreamingMethod, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return parents[-1].base or parents[0]


class PickingASoup(Merging):
    needs = "a greedy soup"
    planned_whole = False  # evaluations read more than the last pass

    def plan(self, method: Any, inputs: Inputs) -> StreamPlan:
        return stream_soup(method, inputs)

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        require_training(self.needs)
        picked = pick_ingredients(session, request, cast(GreedySoup, request.method), scratch)
        return make_streamed(session, request, scratch, picked, stream_soup(picked, request.inputs))

    def note(self, parents: int) -> str:
        return f"its ingredients are picked by at most {2 * parents - 1} evaluations"


class FollowingARecipe(Streaming):
    takes_gguf = True

    def inputs(self, name: str, method: MergeRecipe, found: Inputs) -> Inputs:
        return recipe_inputs(method, found)

    def plan(self, method: MergeRecipe, inputs: Inputs) -> StreamPlan:
        return stream_recipe(method, inputs)

    def forecast(self, method: MergeRecipe, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return forecast_recipe(method, parents, labels)

    def donor(self, method: MergeRecipe, roles: Sequence[Role]) -> int | None:
        return 0 if method.vocabulary is None else None
