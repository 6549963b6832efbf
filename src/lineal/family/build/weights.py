"""Models that lie here as full weights: an adapter is seen as part of its base."""

from dataclasses import replace

from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.engines.parents.model import Model, full_model
from lineal.errors import CheckpointError
from lineal.family.session import LocalModel


def full_weights(local: LocalModel, base: Model | None) -> Model:
    """The model as full weights; base: that an adapter is put on."""
    if local.form != "adapter":
        return full_model(local.label, local.checkpoint)
    if base is None:
        raise CheckpointError(f"{local.label}: an adapter whose base is not known here")
    return full_model(local.label, base.checkpoint, local.checkpoint)


def own_weights(local: LocalModel) -> Model:
    """The model as full weights, an adapter on its own base; without what follows from a config."""
    base = local.base
    model = full_weights(local, None if base is None else full_model(base.label, base.checkpoint))
    kept = {name: source for name, source in model.sources.items() if not is_derived_buffer(name, source.shape)}
    return replace(model, sources=kept)
