"""What a model in full says of itself beside its weights, whatever it is stored as: its configuration, its tokens."""

from collections.abc import Mapping
from typing import Any

from lineal.checkpoint.package import vocabulary
from lineal.checkpoint.quantized.folder import without_settings
from lineal.checkpoint.reader import Checkpoint


def config_of(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Its config.json as that of full weights; of a GGUF that of the model that transformers would make of it."""
    if checkpoint.form == "gguf":
        from lineal.engines.gguf.parent import gguf_config  # noqa: PLC0415 - gguf, which most commands do without

        return gguf_config(checkpoint)
    return without_settings(checkpoint.config)


def vocabulary_of(checkpoint: Checkpoint) -> Mapping[str, int] | None:
    """Token -> id, as what lies with its weights says; None where nothing does."""
    if checkpoint.form == "gguf":
        from lineal.engines.gguf.parent import gguf_vocabulary  # noqa: PLC0415 - gguf, which most commands do without

        return gguf_vocabulary(checkpoint)
    return vocabulary(checkpoint.folder)
