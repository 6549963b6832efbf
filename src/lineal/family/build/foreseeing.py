"""What all the models of a family will be, parents first, so that a fault is told before anything is made."""

from collections.abc import Mapping, Sequence

from lineal.derivation.step import Role
from lineal.family.build.foreseen import Foreseen
from lineal.family.build.makers.table import maker_of
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import LocalModel


def foreseen_models(
    recipes: Sequence[ModelRecipe], seen: Mapping[str, LocalModel], label: Mapping[str, str]
) -> dict[str, Foreseen]:
    """Every model of the recipes, parents first, and every one that is seen; label: of models to be made."""
    found = {name: _of(local) for name, local in seen.items()}
    for recipe in recipes:
        if recipe.name not in found:
            inputs: list[tuple[Role, Foreseen]] = [(r.role, found[r.model]) for r in recipe.inputs if r.model in found]
            form = "full" if recipe.method is None else maker_of(recipe.method).form
            found[recipe.name] = Foreseen(label[recipe.name], form, _full(recipe, inputs))
    return found


def _of(local: LocalModel) -> Foreseen:
    full = local.base if local.form == "adapter" else local
    return Foreseen(local.label, local.form, full, full)


def _full(recipe: ModelRecipe, inputs: Sequence[tuple[Role, Foreseen]]) -> LocalModel | None:
    """That of the input whose package the child gets: of a merge the base, else the first; of a student its parent."""
    if recipe.method is None or len(inputs) < len(recipe.inputs):  # the fault that is in the way is told
        return None
    donor = maker_of(recipe.method).donor(recipe.method, [role for role, _ in inputs])
    return None if donor is None else inputs[donor][1].full
