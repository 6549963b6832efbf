"""What a derivation will make, from recipes and headers alone: the tensors, and the config where it has one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.reader import Form
from lineal.checkpoint.written.layout import Planned
from lineal.engines.parents.model import full_model
from lineal.errors import CheckpointError
from lineal.family.session import LocalModel


@final
@dataclass(frozen=True)
class Forecast:
    """What a model will consist of, whether it exists or not.

    base: in full, where it is an adapter, a GGUF or codes; counted: its parameters, where its tensors are codes.
    """

    tensors: Sequence[Planned]
    config: Mapping[str, Any]
    base: "Forecast | None" = None
    form: Form = "full"
    counted: int | None = None

    @property
    def parameters(self) -> int:
        """Numbers of the weights that the tensors stand for."""
        return sum(tensor.elements for tensor in self.tensors) if self.counted is None else self.counted

    @property
    def in_full(self) -> "Forecast":
        return self.base or self


def of_local(local: LocalModel) -> Forecast:
    """A model that lies here, and what a merge would see of it."""
    config = {} if local.form == "gguf" else local.checkpoint.config
    return replace(as_stored(local), config=config, base=_full_weights(local), form=local.form)


def as_stored(local: LocalModel) -> Forecast:
    """A model that lies here, of which nothing is to be made."""
    planned = [Planned(spec.name, spec.dtype, spec.shape) for spec in local.checkpoint.values()]
    return Forecast(planned, {}, counted=parameters_of(local.checkpoint))


def _full_weights(local: LocalModel) -> Forecast | None:
    """The base of an adapter, or a model as a merge sees it; nothing of a folder that no merge could take."""
    if local.form == "adapter":
        return None if local.base is None else _full_weights(local.base) or of_local(local.base)
    try:
        model = full_model(local.label, local.checkpoint)
    except CheckpointError:
        if local.form == "gguf":  # nothing else of it is of use to a child
            raise
        return None
    return Forecast([Planned(name, source.dtype, source.shape) for name, source in model.items()], model.config)
