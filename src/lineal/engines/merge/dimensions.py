"""What tells two architectures apart: the numbers of a config on which the shapes of all tensors depend."""

from collections.abc import Mapping
from typing import Any, cast

from lineal.engines.parents.model import Model

_KIND = "model_type"
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
_WIDTHS = (
    *("hidden_size", "n_embd", "d_model", "intermediate_size", "moe_intermediate_size"),
    *("num_attention_heads", "num_key_value_heads", "head_dim"),
    *("num_experts", "num_local_experts", "n_routed_experts"),
)


def architecture_fault(donor: Model, model: Model, *, layers: bool) -> str | None:
    """How a model's architecture differs from the donor's, in one line; None where the configs say nothing of it.

    layers: whether as many blocks are needed.
    """
    ours, theirs = _stated(donor.config), _stated(model.config)
    keys = (_KIND, *(_LAYERS if layers else ()), *_WIDTHS)
    differing = [
        f"{key} {theirs[key]}, not {ours[key]}"
        for key in keys
        if key in ours and key in theirs and ours[key] != theirs[key]
    ]
    return f"{model.name} is of another architecture than {donor.name}: {'; '.join(differing)}" if differing else None


def _stated(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of all that is said, be it of the text model inside."""
    inner = config.get("text_config")
    both = {**(cast(dict[str, Any], inner) if isinstance(inner, dict) else {}), **config}
    return {key: value for key, value in both.items() if value is not None}
