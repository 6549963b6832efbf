"""Prunings: one model, tensor by tensor, with weights set to zero."""

from collections.abc import Sequence
from pathlib import Path

from lineal.checkpoint.names.roles import linear_layers
from lineal.derivation.step import Role
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.forecasts import Forecast
from lineal.family.build.inputs import single_inputs
from lineal.family.build.makers.maker import Maker, Streaming
from lineal.family.build.streams import only_model
from lineal.family.session import Inputs
from lineal.methods.method import Method
from lineal.methods.streaming import StreamingMethod


class Pruning(Streaming):
    def inputs(self, name: str, method: StreamingMethod, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def plan(self, method: StreamingMethod, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        return plan_pruning(method, only_model(method, inputs))

    def forecast(self, method: StreamingMethod, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        """As large as its parent; one without linear layers that are known is refused."""
        parent = parents[0].in_full
        shapes = {tensor.name: tensor.shape for tensor in parent.tensors}
        _ = linear_layers(shapes, parent.config.get("model_type"), labels[-1])
        return parent

    def donor(self, method: StreamingMethod, roles: Sequence[Role]) -> int | None:
        return roles.index("base") if "base" in roles else 0

    def note(self, parents: int) -> str:
        return "zeros are stored like any weight: it is as large and as fast as its parent"


MAKERS: Sequence[tuple[type[Method], Maker]] = ((StreamingMethod, Pruning()),)
