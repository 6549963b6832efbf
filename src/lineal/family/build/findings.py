"""Everything that stands against a family, so that it is said at once, each with its line."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import final

from lineal.errors import CheckpointError, LinealError, RecipeError, UsageError
from lineal.family.file.recipe import Family, ModelRecipe


@final
@dataclass
class Findings:
    """Faults found so far; a family that comes from no file has no lines."""

    family: Family
    faults: list[tuple[int, LinealError]] = field(default_factory=list[tuple[int, LinealError]])

    @contextmanager
    def of(self, recipe: ModelRecipe | None) -> Generator[None]:
        """What is raised meanwhile is a fault of the recipe; of a text under `evaluate` where there is none."""
        try:
            yield
        except LinealError as error:
            self.add(recipe, error)

    def add(self, recipe: ModelRecipe | None, error: LinealError) -> None:
        line, name = (0, "evaluate") if recipe is None else (recipe.line, recipe.name)
        file = self.family.file
        if file is not None:
            place = f"{file.name}:{line}" if line else file.name
            named = (said if said.startswith(f"{name}: ") else f"{name}: {said}" for said in error.lines)
            error.args = tuple(f"{place}: {said}" for said in named)
        self.faults.append((line, error))

    def raise_if_any(self) -> None:
        """The one fault as it is, or all in one error, in the order of the file."""
        if len(self.faults) == 1:
            raise self.faults[0][1]
        if self.faults:
            in_order = sorted(self.faults, key=lambda fault: fault[0])
            told = dict.fromkeys(line for _, error in in_order for line in error.lines)
            usage = any(isinstance(error, UsageError) for _, error in self.faults)
            raise (RecipeError if usage else CheckpointError)(*told)
