"""The tensors that a training will write, from configurations alone: nothing is read and nothing allocated."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from lineal.checkpoint.written.layout import Planned
from lineal.engines.inference.linear_layers import linear_layers
from lineal.engines.train.from_scratch import config_of, make_config, random_model, stored_dtype
from lineal.engines.train.run import check_context
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.lora_targets import resolve_targets
from lineal.methods.finetune.scratch import Scratch


def original_config(method: Scratch) -> dict[str, Any]:
    """The configuration that a training from scratch will store, as far as shapes depend on it."""
    return {**method.config, "vocab_size": method.vocabulary_size}


def original_tensors(method: Scratch) -> tuple[Planned, ...]:
    """The weights of a model trained from scratch, tied ones once; what the training would refuse is refused."""
    model = _shapes_of(make_config(method, end_of_text=0))
    check_context(method, model)
    tied = cast(dict[str, Any], cast(Any, model).all_tied_weights_keys)
    dtype = stored_dtype(method)
    kept = ((name, tensor) for name, tensor in model.named_parameters() if name not in tied)
    return tuple(Planned(name, dtype, tuple(tensor.shape)) for name, tensor in kept)


def adapter_tensors(method: Lora, parent_config: Mapping[str, Any]) -> tuple[Planned, ...]:
    """The matrices of a LoRA adapter on a model of this configuration."""
    planned: list[Planned] = []
    for layer in resolve_targets(method.config, linear_layers(_shapes_of(config_of(parent_config)))):
        prefix = f"base_model.model.{layer.path}"
        planned.append(Planned(f"{prefix}.lora_A.weight", "F32", (method.rank, layer.in_features)))
        planned.append(Planned(f"{prefix}.lora_B.weight", "F32", (layer.out_features, method.rank)))
    return tuple(planned)


def _shapes_of(config: PreTrainedConfig) -> PreTrainedModel:
    with torch.device("meta"):
        return random_model(config)
