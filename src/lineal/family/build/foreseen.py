"""What a model of a family will be before it is made, as far as recipes and headers tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.reader import Form
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import LocalModel


@final
@dataclass(frozen=True)
class Foreseen:
    """A model that is here, or that a recipe asks for.

    full: the one in full whose vocabulary and positions it has or will have; None where that is not known yet.
    local: itself, or of an adapter its base, where it lies here.
    """

    label: str
    form: Form
    full: LocalModel | None
    local: LocalModel | None = None


def in_roles(recipe: ModelRecipe, models: Mapping[str, Foreseen], *roles: str) -> list[Foreseen]:
    """A recipe's inputs of these roles, of all without any, as far as they are known."""
    return [models[r.model] for r in recipe.inputs if r.model in models and (not roles or r.role in roles)]
