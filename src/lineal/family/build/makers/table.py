"""Which maker a method has, lineal's own or a package's, and what is asked of all of them in the same way."""

from lineal.derivation.hashes import HASH_LENGTH
from lineal.derivation.step import Input, Kind, Step
from lineal.engines.parents.model import GGUF_IS_NO_PARENT
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError, MethodError
from lineal.family.build.makers.maker import Maker
from lineal.family.build.makers.merges import ApplyingAdapters, FollowingARecipe, Merging, PickingASoup
from lineal.family.build.makers.of_one import Pruning, QuantizingToGguf
from lineal.family.build.makers.trainings import (
    TrainingAnAdapter,
    TrainingAStudent,
    TrainingAWhole,
    TrainingFromScratch,
)
from lineal.family.session import Inputs, Session
from lineal.methods.distill import Distill
from lineal.methods.finetune import FullFineTune, Lora, Scratch
from lineal.methods.merge import AdapterMerge, GreedySoup
from lineal.methods.method import Method
from lineal.methods.quantize import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod

_MAKERS: tuple[tuple[type[Method], Kind, Maker], ...] = (
    (GreedySoup, "merge", PickingASoup()),
    (AdapterMerge, "merge", ApplyingAdapters()),
    (MergeRecipe, "merge", FollowingARecipe()),
    (StreamingMethod, "merge", Merging()),
    (StreamingMethod, "prune", Pruning()),
    (GgufQuantization, "quantize", QuantizingToGguf()),
    (Scratch, "original", TrainingFromScratch()),
    (FullFineTune, "fine-tune", TrainingAWhole()),
    (Lora, "fine-tune", TrainingAnAdapter()),
    (Distill, "distillation", TrainingAStudent()),
)
"""The first row whose class and kind a method is of; what is more particular stands above."""


def maker_of(method: Method) -> Maker:
    for wanted, kind, maker in _MAKERS:
        if isinstance(method, wanted) and method.kind == kind:
            return maker
    raise MethodError(f"nothing here knows how to run {type(method).__name__}")


def inputs_of(session: Session, name: str, method: Method, found: Inputs) -> Inputs:
    """The models that a derivation is given, as its step records them; name: of the child."""
    maker = maker_of(method)
    for _, local in found:
        if local.form == "gguf" and not maker.takes_gguf:
            raise CheckpointError(f"{name}: {local.label} {GGUF_IS_NO_PARENT}")
    if not maker.is_trained and any(local.form == "adapter" for _, local in found):
        # of which base an adapter is, is a question of hashes
        found = [(role, session.identify(local) if role == "base" else local) for role, local in found]
    return maker.inputs(name, method, found)


def plan_stream(method: Method, inputs: Inputs) -> StreamPlan | None:
    """The engine's plan for a step's inputs; None for what is trained.

    Inputs that no step of this method could have are refused here, before a weight is read.
    """
    maker = maker_of(method)
    if not maker.is_trained:
        _ = Step(
            type=method.kind,
            method=method.name,
            inputs=tuple(Input(role, bytes(HASH_LENGTH)) for role, _ in inputs),
            options=method.options(),
        )
    return maker.plan(method, inputs)
