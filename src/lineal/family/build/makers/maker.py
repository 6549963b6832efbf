"""What has to be said of a kind of derivation, so that it can be planned, made, recorded and verified."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from lineal.checkpoint.reader import Form
from lineal.derivation.step import Role
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.text.documents import read_documents
from lineal.family.build.forecasts import Forecast
from lineal.family.build.foreseen import Foreseen, in_roles
from lineal.family.build.make import Made, make_streamed
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import Inputs, Session


class Maker(ABC):
    """One kind of derivation. The methods of that kind are instances of the class that the table gives for it.

    form: of what is made; is_trained: and not streamed; needs: what torch is needed for, if it is; planned_whole:
    whether the engine's plan is all that is read; plans_with_data: whether the plan needs the data files.
    """

    form: ClassVar[Form] = "full"
    is_trained: ClassVar[bool] = False
    needs: ClassVar[str] = ""
    planned_whole: ClassVar[bool] = True
    plans_with_data: ClassVar[bool] = False

    @abstractmethod
    def inputs(self, name: str, method: Any, found: Inputs) -> Inputs:
        """The models in the roles and the order in which the step records them, or an error; name: of the child."""

    def checks(
        self, recipe: ModelRecipe, models: Mapping[str, Foreseen], *, is_there: bool
    ) -> Sequence[Callable[[], None]]:
        """Each raises what stands against a recipe, before anything is downloaded, hashed or made.

        models: that it is made from, by the names it uses; is_there: whether something lies where the child is to be.
        """
        return []

    def check_data(self, path: Path) -> None:
        """Refuse a data file that cannot be read: texts, as a rule."""
        _ = read_documents(path)

    def plan(self, method: Any, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan | None:
        """The engine's plan before a weight is read; None for what is trained."""
        return None

    def foresee(self, method: Any, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan | None:
        """As much of the plan as headers tell: all of it, as a rule."""
        return self.plan(method, inputs, data)

    @abstractmethod
    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        """Fill the scratch folder with the child."""

    def forecast(self, method: Any, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        """What will be made of such inputs, which are in the order of the recipe; by default as of the first."""
        return parents[0].in_full

    def working_bytes(self, plan: StreamPlan, threads: int) -> int | None:
        """What making it by its plan holds at once, beside the program itself; None where that is not known."""
        return plan.working_bytes(threads) if self.planned_whole else None

    def donor(self, method: Any, roles: Sequence[Role]) -> int | None:
        """Which input the child has its vocabulary and positions from; None where it is not one of them."""
        return 0

    def note(self, parents: int) -> str:
        """What the figures of a plan do not tell."""
        return ""


class Streaming(Maker):
    """What the streaming engine computes by its plan."""

    def checks(
        self, recipe: ModelRecipe, models: Mapping[str, Foreseen], *, is_there: bool
    ) -> Sequence[Callable[[], None]]:
        """Where a parent is still to be made, nobody else counts before it is; of one that is nowhere that is told."""
        if len(in_roles(recipe, models)) < len(recipe.inputs):
            return []
        parents = in_roles(recipe, models, "parent", "adapter")
        has_base = any(reference.role == "base" for reference in recipe.inputs)
        return [partial(self.check_count, recipe.method, parents, has_base=has_base)]

    def check_count(self, method: Any, parents: Sequence[Foreseen], *, has_base: bool) -> None:
        """Refuse a number of models that the method does not take."""
        method.check_models(len(parents))

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        return make_streamed(session, request, scratch)
