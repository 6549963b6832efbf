"""What a derivation will make, from recipes and headers alone: the tensors, and the config where it has one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from lineal.checkpoint.names.roles import linear_layers
from lineal.checkpoint.reader import Form
from lineal.checkpoint.written.layout import Planned
from lineal.engines.architecture.depth import block_count, check_blocks, shallower_config, shallower_names
from lineal.engines.extra import require_training
from lineal.engines.merge.composition import composed
from lineal.engines.merge.plan import recipe_config, stored_as
from lineal.engines.parents.model import full_model
from lineal.engines.quantize.gguf_plan import gguf_tensors, gguf_weights
from lineal.errors import CheckpointError
from lineal.family.session import LocalModel
from lineal.methods.distill import Distill
from lineal.methods.finetune import Lora, Scratch
from lineal.methods.quantize import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe


@final
@dataclass(frozen=True)
class Forecast:
    """What a model will consist of, whether it exists or not; base: in full, where it is an adapter or a GGUF."""

    tensors: Sequence[Planned]
    config: Mapping[str, Any]
    base: "Forecast | None" = None
    form: Form = "full"

    @property
    def in_full(self) -> "Forecast":
        return self.base or self


def of_local(local: LocalModel) -> Forecast:
    """A model that lies here, and what a merge would see of it."""
    config = {} if local.form == "gguf" else local.checkpoint.config
    return Forecast(stored(local), config, _full_weights(local), local.form)


def stored(local: LocalModel) -> list[Planned]:
    return [Planned(spec.name, spec.dtype, spec.shape) for spec in local.checkpoint.values()]


def _full_weights(local: LocalModel) -> Forecast | None:
    """The base of an adapter, or a model as a merge sees it; nothing of one that no merge could take."""
    if local.form == "adapter":
        return None if local.base is None else _full_weights(local.base) or of_local(local.base)
    try:
        model = full_model(local.label, local.checkpoint)
    except CheckpointError:
        return None
    return Forecast([Planned(name, source.dtype, source.shape) for name, source in model.items()], model.config)


def forecast_scratch(method: Scratch) -> Forecast:
    require_training("planning a training")
    from lineal.engines.train.forecast import original_config, original_tensors

    return Forecast(original_tensors(method), original_config(method))


def forecast_lora(method: Lora, parent: Forecast) -> Forecast:
    require_training("planning a training")
    from lineal.engines.train.forecast import adapter_tensors

    return Forecast(adapter_tensors(method, parent.config), {}, parent)


def forecast_pruned(parent: Forecast, label: str) -> Forecast:
    """As large as its parent; one without linear layers that are known is refused."""
    shapes = {tensor.name: tensor.shape for tensor in parent.tensors}
    _ = linear_layers(shapes, parent.config.get("model_type"), label)
    return parent


def forecast_gguf(method: GgufQuantization, parent: Forecast, label: str) -> Forecast:
    names = [tensor.name for tensor in parent.tensors]
    full = Forecast(gguf_weights(method, parent.config, names, label), parent.config)
    return Forecast(gguf_tensors(method, parent.config, names, label), {}, full, form="gguf")


def forecast_recipe(method: MergeRecipe, parents: Sequence[Forecast], labels: Sequence[str]) -> Forecast:
    """The tensors that a recipe composes, in full even where a parent is an adapter."""
    full = [parent.in_full for parent in parents]
    tensors = [{tensor.name: tensor for tensor in one.tensors} for one in full]
    planned: list[Planned] = []
    for tensor in composed(method, tensors, labels):
        stretch, name = tensor.taken[0]
        source = tensors[stretch.model][name]
        planned.append(Planned(tensor.name, stored_as(method.dtype, source.dtype), source.shape))
    return Forecast(planned, recipe_config(method, [one.config for one in full], labels[0]))


def forecast_student(method: Distill, parent: Forecast, label: str) -> Forecast:
    """What a student begins as: its parent, cut to the blocks that it keeps."""
    if method.layers is None:
        return parent
    kept = method.kept_blocks(block_count(parent.config, label))
    check_blocks(parent.config, {tensor.name: tensor.shape for tensor in parent.tensors}, label)
    renamed = shallower_names((tensor.name for tensor in parent.tensors), kept, label)
    tensors = [replace(tensor, name=renamed[tensor.name]) for tensor in parent.tensors if tensor.name in renamed]
    return Forecast(tensors, shallower_config(parent.config, kept, label))
