"""What the models of a family will be before they are made, as far as recipes and headers tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from lineal.checkpoint.reader import Form
from lineal.derivation.step import Role
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import LocalModel
from lineal.methods.distill import Distill
from lineal.methods.finetune import FullFineTune, Lora
from lineal.methods.quantize import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod


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


def foreseen_models(
    recipes: Sequence[ModelRecipe], seen: Mapping[str, LocalModel], label: Mapping[str, str]
) -> dict[str, Foreseen]:
    """Every model of the recipes, parents first, and every one that is seen; label: of models to be made."""
    found = {name: _of(local) for name, local in seen.items()}
    for recipe in recipes:
        if recipe.name not in found:
            inputs: list[tuple[Role, Foreseen]] = [(r.role, found[r.model]) for r in recipe.inputs if r.model in found]
            found[recipe.name] = Foreseen(label[recipe.name], _form(recipe), _ground(recipe, inputs))
    return found


def _of(local: LocalModel) -> Foreseen:
    full = local if local.form == "full" else local.base
    return Foreseen(local.label, local.form, full, full)


def _form(recipe: ModelRecipe) -> Form:
    match recipe.method:
        case Lora():
            return "adapter"
        case GgufQuantization():
            return "gguf"
        case _:
            return "full"


def _ground(recipe: ModelRecipe, inputs: Sequence[tuple[Role, Foreseen]]) -> LocalModel | None:
    """That of the input whose package the child gets: of a merge the base, else the first; of a student its parent."""
    if len(inputs) < len(recipe.inputs):  # the fault that is in the way is told
        return None
    match recipe.method:
        case MergeRecipe(vocabulary=None) | FullFineTune() | Lora():
            return inputs[0][1].full
        case Distill():
            return inputs[-1][1].full
        case StreamingMethod(kind="merge" | "prune"):
            base = next((model for role, model in inputs if role == "base"), inputs[0][1])
            return base.full
        case _:
            return None
