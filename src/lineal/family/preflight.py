"""What can be known of a family before anything is downloaded, hashed or built: its originals' headers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from lineal.derivation.step import Role
from lineal.engines.stream_plan import StreamPlan
from lineal.errors import CheckpointError, LinealError
from lineal.family.hub import cached_snapshot
from lineal.family.hub_headers import read_headers
from lineal.family.recipe import ModelRecipe, Origin
from lineal.family.streams import Streamed, foreseen_stream, recipe_inputs, stream_inputs
from lineal.family.workshop import Placed, Workshop
from lineal.methods.merge import MergeRecipe


def see_original(workshop: Workshop, label: str, origin: Origin, headers: Path) -> Placed:
    """An original as it lies here; one that is still on the Hub as a stand-in under `headers`. Nothing is registered.

    headers: a folder of the caller's, to be removed with all stand-ins.
    """
    if origin.hub is None:
        return workshop.place(label, cast(Path, origin.path))
    revision = str(origin.revision)
    folder = cached_snapshot(origin.hub, revision)
    if folder is not None:
        return workshop.place(label, folder)
    stand_in = headers / origin.hub.replace("/", "--") / revision
    return Placed(label, read_headers(origin.hub, revision, stand_in))


def refuse_impossible(recipes: Iterable[ModelRecipe], originals: Mapping[str, Placed]) -> None:
    """All faults of all streamed derivations whose inputs are originals in full, from headers alone."""
    faults = [fault for recipe in recipes if (fault := _fault(recipe, originals))]
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise CheckpointError("\n".join(map(str, faults)))


def _fault(recipe: ModelRecipe, originals: Mapping[str, Placed]) -> LinealError | None:
    try:
        foresee(recipe, originals)
    except LinealError as error:
        return error
    return None


def foresee(recipe: ModelRecipe, placed: Mapping[str, Placed]) -> StreamPlan | None:
    """The engine's plan of a streamed derivation, where all its inputs are among `placed`, in full."""
    known: list[tuple[Role, Placed]] = [
        (reference.role, placed[reference.model])
        for reference in recipe.inputs
        if reference.model in placed and placed[reference.model].form == "full"
    ]
    if not isinstance(recipe.method, Streamed) or len(known) < len(recipe.inputs):
        return None
    if isinstance(recipe.method, MergeRecipe):
        return foreseen_stream(recipe.method, recipe_inputs(recipe.method, known))
    base = next((model for role, model in known if role == "base"), None)
    parents = [model for role, model in known if role != "base"]
    return foreseen_stream(recipe.method, stream_inputs(recipe.method, base, parents))
