"""The architectures that are known as GGUFs: which row of the table a model has, by its config.json or its GGUF."""

from collections.abc import Mapping
from typing import Any

from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.dense import DENSE
from lineal.engines.gguf.mixtures import MIXTURES
from lineal.engines.gguf.row import Architecture
from lineal.errors import CheckpointError
from lineal.shown import quoted

ARCHITECTURES = (*DENSE, *MIXTURES)
_BY_MODEL_TYPE = {row.model_type: row for row in ARCHITECTURES}


def architecture_to_write(config: Mapping[str, Any], label: str) -> Architecture:
    """That of a config.json, from which a GGUF is to be made."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in _BY_MODEL_TYPE:
        known = f"those that can be written: {', '.join(_BY_MODEL_TYPE)}"
        raise CheckpointError(f"{label} cannot be written as a GGUF: model_type is {quoted(model_type)}; {known}")
    return _BY_MODEL_TYPE[model_type]


def architecture_of(checkpoint: Checkpoint) -> Architecture:
    """That of a GGUF, whose weights are to be used as transformers has them; of several with one name the first."""
    told = checkpoint.metadata.get(ARCHITECTURE)
    name = None if told is None else told.content
    mixture = f"{name}.expert_count" in checkpoint.metadata
    found = [row for row in ARCHITECTURES if row.name == name]
    if not found:
        known = ", ".join(dict.fromkeys(row.name for row in ARCHITECTURES))
        raise CheckpointError(
            f"{checkpoint.path}: a GGUF of the architecture {quoted(name)}; those that can be run: {known}"
        )
    return next((row for row in found if row.is_mixture == mixture), found[0])
