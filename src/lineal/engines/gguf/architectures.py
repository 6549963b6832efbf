"""The architectures that are known as GGUFs, each with its keys and tensors, there and back: one row each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE, Value
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.llama_back import llama_config, llama_of_gguf
from lineal.engines.gguf.llama_keys import (
    TURNED,
    Llama,
    gguf_names,
    llama_faults,
    llama_metadata,
    llama_of_config,
    llama_tensors,
)
from lineal.errors import CheckpointError
from lineal.shown import quoted


@final
@dataclass(frozen=True, kw_only=True)
class Architecture:
    """name: in a GGUF; model_type: in a config.json. The functions go through the numbers that shapes depend on.

    faults: why a config cannot be written; of_config, of_gguf: the numbers; metadata, config: what says them in a GGUF
    and in a config.json; tensors: their shapes by transformers' names; names: from those to the GGUF's; turned: ends of
    the names of tensors whose rows rotary embeddings pair.
    """

    name: str
    model_type: str
    faults: Callable[[Mapping[str, Any]], Iterable[str]]
    of_config: Callable[[Mapping[str, Any]], Llama]
    of_gguf: Callable[[Checkpoint], Llama]
    metadata: Callable[[Llama], Mapping[str, Value]]
    config: Callable[..., dict[str, Any]]
    tensors: Callable[..., dict[str, tuple[int, ...]]]
    names: Callable[..., dict[str, str]]
    turned: tuple[str, ...]


_ARCHITECTURES = (
    Architecture(
        name="llama",
        model_type="llama",
        faults=llama_faults,
        of_config=llama_of_config,
        of_gguf=llama_of_gguf,
        metadata=llama_metadata,
        config=llama_config,
        tensors=llama_tensors,
        names=gguf_names,
        turned=TURNED,
    ),
)
_BY_NAME = {architecture.name: architecture for architecture in _ARCHITECTURES}
_BY_MODEL_TYPE = {architecture.model_type: architecture for architecture in _ARCHITECTURES}


def architecture_to_write(config: Mapping[str, Any], label: str) -> Architecture:
    """That of a config.json, from which a GGUF is to be made."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in _BY_MODEL_TYPE:
        known = f"those that can be written: {', '.join(_BY_MODEL_TYPE)}"
        raise CheckpointError(f"{label} cannot be written as a GGUF: model_type is {quoted(model_type)}; {known}")
    return _BY_MODEL_TYPE[model_type]


def architecture_of(checkpoint: Checkpoint) -> Architecture:
    """That of a GGUF, whose weights are to be used as transformers has them."""
    told = checkpoint.metadata.get(ARCHITECTURE)
    name = None if told is None else told.content
    if not isinstance(name, str) or name not in _BY_NAME:
        known = ", ".join(_BY_NAME)
        raise CheckpointError(
            f"{checkpoint.path}: a GGUF of the architecture {quoted(name)}; those that can be run: {known}"
        )
    return _BY_NAME[name]
