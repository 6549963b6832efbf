"""What is trained: from scratch, as a whole, as an adapter, or as a student."""

from collections.abc import Sequence

from lineal.derivation.step import Role
from lineal.family.build.forecasts import Forecast, forecast_lora, forecast_scratch, forecast_student
from lineal.family.build.inputs import training_inputs
from lineal.family.build.make import Made, make_trained
from lineal.family.build.makers.maker import Maker
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.session import Inputs, Session
from lineal.methods.distill import Distill
from lineal.methods.finetune import Lora, Training
from lineal.methods.finetune import Scratch as FromScratch


class TrainingAWhole(Maker):
    """All weights of a copy of the parent."""

    is_trained = True
    needs = "training"

    def inputs(self, name: str, method: Training, found: Inputs) -> Inputs:
        return training_inputs(name, found)

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        return make_trained(session, request, scratch)


class TrainingFromScratch(TrainingAWhole):
    def forecast(self, method: FromScratch, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return forecast_scratch(method)

    def donor(self, method: FromScratch, roles: Sequence[Role]) -> int | None:
        return None


class TrainingAnAdapter(TrainingAWhole):
    form = "adapter"

    def forecast(self, method: Lora, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return forecast_lora(method, parents[0])


class TrainingAStudent(TrainingAWhole):
    """The student's parent is the last of the inputs, behind its teachers."""

    def forecast(self, method: Distill, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return forecast_student(method, parents[-1].in_full, labels[-1])

    def donor(self, method: Distill, roles: Sequence[Role]) -> int | None:
        return len(roles) - 1
