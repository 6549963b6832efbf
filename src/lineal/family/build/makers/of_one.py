"""What derives from one model, tensor by tensor: prunings and quantizations."""

from collections.abc import Sequence

from lineal.derivation.step import Role
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.forecasts import Forecast, forecast_gguf, forecast_pruned
from lineal.family.build.inputs import single_inputs
from lineal.family.build.makers.maker import Streaming
from lineal.family.build.streams import stream_gguf, stream_pruning
from lineal.family.session import Inputs
from lineal.methods.quantize import GgufQuantization
from lineal.methods.streaming import StreamingMethod


class Pruning(Streaming):
    def inputs(self, name: str, method: StreamingMethod, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def plan(self, method: StreamingMethod, inputs: Inputs) -> StreamPlan:
        return stream_pruning(method, inputs)

    def forecast(self, method: StreamingMethod, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return forecast_pruned(parents[0].in_full, labels[-1])

    def donor(self, method: StreamingMethod, roles: Sequence[Role]) -> int | None:
        return roles.index("base") if "base" in roles else 0

    def note(self, parents: int) -> str:
        return "zeros are stored like any weight: it is as large and as fast as its parent"


class QuantizingToGguf(Streaming):
    form = "gguf"

    def inputs(self, name: str, method: GgufQuantization, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def plan(self, method: GgufQuantization, inputs: Inputs) -> StreamPlan:
        return stream_gguf(method, inputs)

    def forecast(self, method: GgufQuantization, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        return forecast_gguf(method, parents[0].in_full, labels[-1])

    def donor(self, method: GgufQuantization, roles: Sequence[Role]) -> int | None:
        return None
