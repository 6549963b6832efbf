"""Which linear layers of a model a LoRA adapts."""

from collections.abc import Sequence
from typing import NamedTuple, final

from lineal.errors import MethodError
from lineal.expressions import Expressions
from lineal.methods.finetune.lora import ALL_LINEAR, LoraConfig
from lineal.methods.method import nearest
from lineal.shown import quoted


@final
class LinearLayer(NamedTuple):
    """A linear layer by its module path in the base model."""

    path: str
    in_features: int
    out_features: int
    is_head: bool = False
    """It makes the logits."""
    gives_vectors: bool = True
    """It gives one vector for each; some routers, linear layers by their class, give scores and choices."""
    beside_experts: bool = False
    """Experts stand beside it: with fewer outputs than the rank it is a router or a gate."""
    read_as_experts: bool = False
    """PEFT takes its path to mean the experts of its model, wherever they are."""


def resolve_targets(config: LoraConfig, layers: Sequence[LinearLayer]) -> tuple[LinearLayer, ...]:
    """The layers that `target_modules` means, in the model's order; a target that matches none is refused."""
    targets = config.target_modules or ALL_LINEAR
    if targets == ALL_LINEAR:
        chosen = tuple(layer for layer in layers if not layer.is_head and left_out_because(config, layer) is None)
    elif isinstance(targets, str):
        expressions = Expressions("lora: target_modules", MethodError)
        chosen = tuple(layer for layer in layers if expressions.whole(targets, layer.path))
    else:
        for target in targets:
            if not any(_is_named(layer.path, target) for layer in layers):
                raise MethodError(
                    f"lora: no linear layer is named {quoted(target)} ({nearest(target, _names(layers))})"
                )
        chosen = tuple(layer for layer in layers if any(_is_named(layer.path, target) for target in targets))
    if not chosen:
        raise MethodError(f"lora: target_modules {quoted(targets)} matches no linear layer ({_hint(targets, layers)})")
    for layer in chosen:
        if (reason := left_out_because(config, layer)) is not None:
            raise MethodError(f"lora: {layer.path} cannot be adapted: {reason}")
        config.check_target(layer.path, layer.in_features, layer.out_features)
    return chosen


def left_out_because(config: LoraConfig, layer: LinearLayer) -> str | None:
    """Why all-linear does without a layer of a mixture of experts; None where it does not."""
    if not layer.gives_vectors or (layer.beside_experts and layer.out_features < config.rank):
        return f"it chooses between experts, and no update of rank {config.rank} fits it"
    return "PEFT takes its name to mean the experts" if layer.read_as_experts else None


def _is_named(path: str, target: str) -> bool:
    return path == target or path.endswith(f".{target}")


def _names(layers: Sequence[LinearLayer]) -> set[str]:
    return {layer.path.rpartition(".")[2] for layer in layers}


def _hint(targets: str | tuple[str, ...], layers: Sequence[LinearLayer]) -> str:
    if not layers:
        return "the model has no torch.nn.Linear layers"
    if isinstance(targets, str) and targets in _names(layers):
        return f"a text is a regular expression for the whole path; a list [{targets}] matches by name"
    return f"the model has: {', '.join(sorted(_names(layers)))}"
