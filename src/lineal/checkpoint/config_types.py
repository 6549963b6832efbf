"""What a config.json must hold to be read: some keys are texts, some mappings, and counts have bounds."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from lineal.errors import CheckpointError
from lineal.shown import quoted

_TEXTS: Final = ("model_type", "dtype", "torch_dtype")
_MAPPINGS: Final = ("text_config", "quantization_config", "rope_parameters", "rope_scaling")
_BOUNDS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers"), 10**5
    ),
    **dict.fromkeys(("hidden_size", "intermediate_size", "head_dim", "max_position_embeddings"), 10**9),
    "vocab_size": 2 * 10**7,
}
"""Far beyond any model, and small enough to be counted up to."""


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a value of another type, or a count that nothing could hold, with a CheckpointError."""
    for fault in _faults(config):
        raise CheckpointError(f"{path}: {fault}")


def _faults(config: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key in _TEXTS:
        if not isinstance(config.get(key, ""), str | None):
            yield f"{within}{key} must be a text, got {quoted(config[key])}"
    for key in _MAPPINGS:
        if not isinstance(config.get(key), dict | None):
            yield f"{within}{key} must be a mapping, got {quoted(config[key])}"
    for key, bound in _BOUNDS.items():
        if isinstance(count := config.get(key), int | float) and not -bound <= count <= bound:
            yield f"{within}{key} must be at most {bound:,}, got {quoted(count)}"
    if isinstance(inner := config.get("text_config"), dict):
        yield from _faults(cast(dict[str, Any], inner), f"{within}text_config.")
