"""What is trained: from scratch, as a whole, as an adapter, or as a student."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lineal.derivation.step import Role
from lineal.engines.architecture.depth import block_count, check_blocks, shallower_config, shallower_names
from lineal.engines.extra import require_training
from lineal.family.build.forecasts import Forecast
from lineal.family.build.foreseen import Foreseen
from lineal.family.build.make import Made
from lineal.family.build.makers.maker import Maker
from lineal.family.build.makers.training import make_trained
from lineal.family.build.makers.training_checks import training_checks
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.file.recipe import ModelRecipe
from lineal.family.session import Inputs, Session
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.scratch import Scratch as FromScratch
from lineal.methods.finetune.training import Training
from lineal.methods.method import Method


class TrainingAWhole(Maker):
    """All weights of a copy of the parent."""

    is_trained = True
    planned_whole = False
    needs = "training"

    def checks(
        self, recipe: ModelRecipe, models: Mapping[str, Foreseen], *, is_there: bool
    ) -> Sequence[Callable[[], None]]:
        return training_checks(recipe, models, is_there=is_there)

    def inputs(self, name: str, method: Training, found: Inputs) -> Inputs:
        """As they are: whatever they are stored as, they are trained and run as the weights that this stands for."""
        return found

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        return make_trained(session, request, scratch)


class TrainingFromScratch(TrainingAWhole):
    def forecast(self, method: FromScratch, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        require_training("planning a training")
        from lineal.engines.train.forecast import original_config, original_tensors

        return Forecast(original_tensors(method), original_config(method))

    def donor(self, method: FromScratch, roles: Sequence[Role]) -> int | None:
        return None


class TrainingAnAdapter(TrainingAWhole):
    form = "adapter"

    def forecast(self, method: Lora, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        require_training("planning a training")
        from lineal.engines.train.forecast import adapter_tensors

        parent = parents[0].in_full
        return Forecast(adapter_tensors(method, parent.config), {}, parent)


class TrainingAStudent(TrainingAWhole):
    """The student's parent is the last of the inputs, behind its teachers."""

    def forecast(self, method: Distill, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        """What a student begins as: its parent, cut to the blocks that it keeps."""
        parent, label = parents[-1].in_full, labels[-1]
        if method.layers is None:
            return parent
        kept = method.kept_blocks(block_count(parent.config, label))
        check_blocks(parent.config, {tensor.name: tensor.shape for tensor in parent.tensors}, label)
        renamed = shallower_names((tensor.name for tensor in parent.tensors), kept, label)
        tensors = [replace(tensor, name=renamed[tensor.name]) for tensor in parent.tensors if tensor.name in renamed]
        return Forecast(tensors, shallower_config(parent.config, kept, label))

    def donor(self, method: Distill, roles: Sequence[Role]) -> int | None:
        return len(roles) - 1


MAKERS: Sequence[tuple[type[Method], Maker]] = (
    (FromScratch, TrainingFromScratch()),
    (FullFineTune, TrainingAWhole()),
    (Lora, TrainingAnAdapter()),
    (Distill, TrainingAStudent()),
)
