"""The linear layers of a model, and what stands beside them: heads, routers, experts."""

from typing import cast

import torch
from peft import LoraConfig
from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
from torch import nn
from transformers import PreTrainedModel

from lineal.methods.finetune.lora_targets import LinearLayer

_EXPERT = "expert"


def linear_layers(model: PreTrainedModel) -> list[LinearLayer]:
    """Every linear layer by its module path, in the order of the model."""
    head = model.get_output_embeddings()
    renamed = _read_as_experts(model)
    return [
        LinearLayer(
            path,
            module.in_features,
            module.out_features,
            module is head,
            gives_vectors=_gives_vectors(module),
            beside_experts=_beside_experts(model, path),
            read_as_experts=path.rpartition(".")[2] in renamed,
        )
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]


def holds_experts(model: nn.Module) -> bool:
    """Whether some weights are matrices of several experts in one."""
    return any(parameter.ndim > 2 for parameter in _expert_parameters(model).values())


def expert_share(model: nn.Module) -> float:
    """The share of a model's parameters that no layer of its own holds: its experts in one."""
    counted = sum(parameter.numel() for parameter in _expert_parameters(model).values())
    return counted / sum(parameter.numel() for parameter in model.parameters())


def _expert_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    return {
        f"{path}.{name}": parameter
        for path, module in model.named_modules()
        if _is_expert(path.rpartition(".")[2], module) and not isinstance(module, nn.Linear)
        for name, parameter in module.named_parameters(recurse=False)
    }


def _read_as_experts(model: PreTrainedModel) -> set[str]:
    """The names of linear layers by which PEFT understands experts, even at the end of a whole path.

    Adapters were made when experts were layers of their own; PEFT rewrites their targets for transformers 5. So an
    adapter of a dense or shared layer of these names could be written, but not be opened by PEFT again.
    """
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    rewritten: set[str] = set()
    for name in {path.rpartition(".")[2] for path in linear}:
        path = next(path for path in linear if path.rpartition(".")[2] == name)
        config = LoraConfig(target_modules=[path])
        try:
            convert_peft_config_for_transformers(config, model, None)
        except ValueError:  # gate_proj means half of what PEFT takes for one
            rewritten.add(name)
            continue
        if path not in cast(set[str], config.target_modules):
            rewritten.add(name)
    return rewritten


def _gives_vectors(module: nn.Linear) -> bool:
    """Whether it gives one vector for each; a router that is a linear layer by its class may give several things."""
    if type(module).forward is nn.Linear.forward:
        return True
    try:
        with torch.no_grad():
            given = cast(object, module(torch.zeros(1, 2, module.in_features)))
    except (RuntimeError, ValueError, TypeError, IndexError):
        return False
    return isinstance(given, torch.Tensor) and given.shape == (1, 2, module.out_features)


def _beside_experts(model: nn.Module, path: str) -> bool:
    """Whether its module, or the one around that, holds experts: then it is a router or a gate."""
    around = path.split(".")[:-1]
    holders = [
        model.get_submodule(".".join(around[:length])) for length in range(len(around), max(0, len(around) - 2), -1)
    ]
    return any(_is_expert(name, module) for holder in holders for name, module in holder.named_children())


def _is_expert(name: str, module: nn.Module) -> bool:
    return _EXPERT in name.lower() or _EXPERT in type(module).__name__.lower()
