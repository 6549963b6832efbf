"""PEFT's config of somebody else's adapter, with the paths of its layers in place of expressions that mean them."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar, cast

from peft import LoraConfig
from torch import nn
from transformers import PreTrainedModel

from lineal.checkpoint.adapter.adapter import pairs_of
from lineal.checkpoint.adapter.choice import Choice
from lineal.checkpoint.adapter.strength import Strengths
from lineal.checkpoint.adapter.targets import target_parameters
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.reader import ADAPTER_CONFIG, Checkpoint
from lineal.engines.inference.linear_layers import holds_experts
from lineal.errors import CheckpointError
from lineal.shown import quoted

V = TypeVar("V", bound=Hashable)

_EXPERTS = ".experts"
_CHOICE = ("exclude_modules", "layers_to_transform", "layers_pattern")
"""What else chooses layers in a config, by names or expressions: the layers are known by what the file holds."""


def refuse_experts(adapter: Checkpoint, model: PreTrainedModel) -> None:
    """Refuse an adapter of parameters, or of experts that are no layers of their own in this model.

    PEFT 0.21 takes those that its earlier versions wrote for another matrix, or not at all.
    """
    modules = {name for name, _ in model.named_modules()}
    experts = (module for module, _ in pairs_of(adapter) if _EXPERTS in module and module not in modules)
    found = next(iter([*target_parameters(adapter), *experts]), None)
    if found is not None:
        raise CheckpointError(
            f"{adapter.folder}: adapts {quoted(found)}, which is no linear layer here; make it part of its base first: "
            "lineal merge ADAPTER --method adapter --out FOLDER"
        )


def spelled_out(adapter: Checkpoint) -> LoraConfig:
    """The config by which PEFT opens the adapter without comparing anything with an expression of its maker's.

    PEFT compares names with `re`, which knows no limit of time. The layers are those that the adapter has matrices of;
    their ranks and alphas are what its config says of them.
    """
    kind = adapter.config.get("peft_type")
    if kind != "LORA":
        raise CheckpointError(f"{adapter.folder / ADAPTER_CONFIG}: a {quoted(kind)} adapter; only LORA can be read")
    strengths = Strengths(adapter)
    found = {module: strengths.of(module, _rank(adapter, module, pair)) for module, pair in pairs_of(adapter)}
    if not found:
        raise CheckpointError(f"{adapter.folder}: an adapter without matrices")
    ranks, rank_pattern = _patterns({module: strength.rank for module, strength in found.items()})
    alphas, alpha_pattern = _patterns({module: strength.alpha for module, strength in found.items()})
    fields = {key: value for key, value in adapter.config.items() if key not in _CHOICE}
    fields |= {"target_modules": list(found), "r": ranks, "rank_pattern": rank_pattern}
    fields |= {"lora_alpha": alphas, "alpha_pattern": alpha_pattern}
    return cast(LoraConfig, LoraConfig.from_peft_type(**fields))


def left_out(adapter: Checkpoint, model: PreTrainedModel) -> list[str]:
    """The linear layers that the config chooses and the adapter has no matrices of.

    In a mixture of experts none can be named: there PEFT takes names of experts for what transformers 5 made of them.
    """
    if holds_experts(model):
        return []
    choice, changed = Choice(adapter), {module for module, _ in pairs_of(adapter)}
    head = model.get_output_embeddings()
    linear = (path for path, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head)
    return [path for path in linear if path not in changed and choice.holds(path)]


def _rank(adapter: Checkpoint, module: str, pair: Mapping[str, TensorSpec]) -> int:
    """That of the matrix that is there; where the other is missing, it is missed later."""
    side, matrix = min(pair.items())
    if len(matrix.shape) != 2:
        named = f"lora_{side} of {quoted(module)}"
        raise CheckpointError(f"{adapter.folder}: {named} is not a matrix: {list(matrix.shape)}")
    return matrix.shape[0 if side == "A" else 1]


def _patterns(values: Mapping[str, V]) -> tuple[V, dict[str, V]]:
    """The value of most modules, and one expression for all modules of each other value."""
    usual = Counter(values.values()).most_common(1)[0][0]
    others: dict[V, list[str]] = {}
    for module, value in values.items():
        if value != usual:
            others.setdefault(value, []).append(re.escape(module))
    return usual, {"|".join(modules): value for value, modules in others.items()}
