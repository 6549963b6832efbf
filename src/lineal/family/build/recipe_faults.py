"""What stands against a recipe, before anything is downloaded, hashed or made: all of it, not only the first."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from lineal.errors import LinealError
from lineal.family.build.foreseen import Foreseen
from lineal.family.build.makers.table import maker_of
from lineal.family.build.target import check_apart, check_target
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import LocalModel


def recipe_faults(
    recipe: ModelRecipe, models: Mapping[str, Foreseen], seen: Mapping[str, LocalModel], target: Path
) -> Iterator[LinealError]:
    """models: that it is made from, by the names it uses; seen: those that lie here, or whose headers do."""
    checks = (
        lambda: _target(recipe, seen, target),
        *(lambda path=path: maker_of(recipe.made_by).check_data(path) for path in recipe.data),
        *maker_of(recipe.made_by).checks(recipe, models, is_there=target.exists()),
    )
    for check in checks:
        try:
            check()
        except LinealError as fault:
            yield fault


def _target(recipe: ModelRecipe, seen: Mapping[str, LocalModel], target: Path) -> None:
    """An output must not be one of the folders that the family is made from, nor what lineal has not made."""
    check_apart(recipe.name, target, (*seen.values(), *(one.base for one in seen.values() if one.base)))
    if recipe.method is not None:
        check_target(target, recipe.method)
