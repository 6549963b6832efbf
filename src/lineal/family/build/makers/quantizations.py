"""Quantizations: one model, tensor by tensor, in fewer bits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from lineal.checkpoint.importance.files import read_importance
from lineal.checkpoint.written.layout import Planned
from lineal.derivation.step import Role
from lineal.engines.quantize.bitsandbytes_plan import bitsandbytes_tensors, plan_bitsandbytes
from lineal.engines.quantize.gguf_plan import gguf_free, gguf_tensors, gguf_weights, plan_gguf
from lineal.engines.quantize.packed_plan import packed_tensors, plan_packed
from lineal.engines.quantize.size_target import Losses, assumed, bytes_beside, fit, measured
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.forecasts import Forecast
from lineal.family.build.inputs import single_inputs
from lineal.family.build.make import Made, make_streamed
from lineal.family.build.makers.calibrations import Calibrating
from lineal.family.build.makers.maker import Maker, Streaming
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.streams import only_model
from lineal.family.session import Inputs, Session
from lineal.methods.calibrated import CalibratedMethod
from lineal.methods.method import Method
from lineal.methods.quantize.bitsandbytes import BitsAndBytes
from lineal.methods.quantize.clipping import clipping_named
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.rtn import RoundToNearest


class QuantizingToGguf(Streaming):
    form = "gguf"
    plans_with_data = True

    def inputs(self, name: str, method: GgufQuantization, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def check_data(self, path: Path) -> None:
        _ = read_importance(path)

    def plan(self, method: GgufQuantization, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        return self._plan(method, inputs, data, measured)

    def foresee(self, method: GgufQuantization, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        """What a size leads to is measured in the weights; beforehand it is only assumed."""
        return self._plan(method, inputs, data, lambda plan, free, _: assumed(plan.planned, free))

    def _plan(
        self, method: GgufQuantization, inputs: Inputs, data: Sequence[Path], losses: Callable[..., Losses]
    ) -> StreamPlan:
        """losses: of a plan, by the tensors that are free to choose and an importance matrix."""
        model, importance = only_model(method, inputs), next(map(read_importance, data), None)
        plan = plan_gguf(method, model, importance)
        if not method.has_target:
            return plan
        free = gguf_free(method, model.config, list(model), model.name)
        types = fit(method, plan.planned, free, losses(plan, free, importance), bytes_beside(plan))
        most = most_weights([replace(tensor, dtype=types[tensor.name]) for tensor in plan.planned])
        return plan_gguf(replace(method, main_type=most), model, importance, types)

    def make(self, session: Session, request: Request, scratch: Scratch) -> Made:
        """The type of most weights is recorded where neither a scheme nor a size alone says it."""
        method = cast(GgufQuantization, request.method)
        if request.plan is not None and method.found_in_making is not None:
            method = replace(method, main_type=most_weights(request.plan.planned))
        return make_streamed(session, request, scratch, method)

    def forecast(self, method: GgufQuantization, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        parent, label = parents[0].in_full, labels[-1]
        names = [tensor.name for tensor in parent.tensors]
        full = Forecast(gguf_weights(method, parent.config, names, label), parent.config)
        planned = gguf_tensors(method, parent.config, names, label)
        if method.has_target:
            free = gguf_free(method, parent.config, names, label)
            types = fit(method, planned, free, assumed(planned, free))
            planned = tuple(replace(tensor, dtype=types[tensor.name]) for tensor in planned)
        return Forecast(planned, {}, full, form="gguf")

    def donor(self, method: GgufQuantization, roles: Sequence[Role]) -> int | None:
        return None


class Packing(Streaming):
    """Codes and scales in a folder, as compressed-tensors has them."""

    def inputs(self, name: str, method: RoundToNearest, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def plan(self, method: RoundToNearest, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        clipping = clipping_named(method.clipping, method.name)
        return plan_packed(method, method, only_model(method, inputs), clipping)

    def forecast(self, method: RoundToNearest, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        parent = parents[0].in_full
        planned = packed_tensors(method, parent.tensors, parent.config, labels[-1])
        return Forecast(planned, parent.config, parent, counted=parent.parameters)


class Coding(Streaming):
    """bitsandbytes' codes in a folder."""

    def inputs(self, name: str, method: BitsAndBytes, found: Inputs) -> Inputs:
        return single_inputs(method, found)

    def plan(self, method: BitsAndBytes, inputs: Inputs, data: Sequence[Path] = ()) -> StreamPlan:
        return plan_bitsandbytes(method, only_model(method, inputs))

    def forecast(self, method: BitsAndBytes, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
        parent = parents[0].in_full
        planned = bitsandbytes_tensors(method, parent.tensors, parent.config, labels[-1])
        return Forecast(planned, parent.config, parent, counted=parent.parameters)


def most_weights(planned: Sequence[Planned]) -> str:
    """The type that most weights are stored in; of as many the one that is met first."""
    weights = dict.fromkeys((tensor.dtype for tensor in planned), 0)
    for tensor in planned:
        weights[tensor.dtype] += tensor.elements
    return max(weights, key=lambda dtype: weights[dtype]).lower()


MAKERS: Sequence[tuple[type[Method], Maker]] = (
    (GgufQuantization, QuantizingToGguf()),
    (RoundToNearest, Packing()),
    (BitsAndBytes, Coding()),
    (CalibratedMethod, Calibrating()),
)
