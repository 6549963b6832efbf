"""Quantizations: one model, tensor by tensor, in fewer bits."""

from collections.abc import Sequence

from lineal.derivation.step import Role
from lineal.engines.quantize.gguf_plan import gguf_tensors, gguf_weights, plan_gguf
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.forecasts import Forecast
from lineal.family.build.inputs import single_inputs
from lineal.family.build.makers.maker import Maker, Streaming
from lineal.family.build.streams import only_model
from lineal.family.session import Inputs
from lineal.methods.method import Method
from lineal.methods.quantize.gguf import GgufQuantization


class QuantizingToGguf(Streaming):
    form = "gguf"

    def inputs(self, name: str, method: GgufQuantization, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def plan(self, method: GgufQuantization, inputs: Inputs) -> StreamPlan:
        return plan_gguf(method, only_model(method, inputs))

    def forecast(self, method: GgufQuantization, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        parent, label = parents[0].in_full, labels[-1]
        names = [tensor.name for tensor in parent.tensors]
        full = Forecast(gguf_weights(method, parent.config, names, label), parent.config)
        return Forecast(gguf_tensors(method, parent.config, names, label), {}, full, form="gguf")

    def donor(self, method: GgufQuantization, roles: Sequence[Role]) -> int | None:
        return None


MAKERS: Sequence[tuple[type[Method], Maker]] = ((GgufQuantization, QuantizingToGguf()),)
