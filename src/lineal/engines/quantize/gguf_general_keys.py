"""What a GGUF says of itself, whatever its architecture."""

from collections.abc import Mapping
from typing import Any

from gguf import GGML_QUANT_VERSION, GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE, Value
from lineal.checkpoint.licence.texts import card_licence
from lineal.checkpoint.package import CARD
from lineal.engines.parents.model import Model
from lineal.methods.quantize.gguf import GgufQuantization

_SAMPLING = {
    "temperature": ("temp", GGUFValueType.FLOAT32),
    "top_k": ("top_k", GGUFValueType.INT32),
    "top_p": ("top_p", GGUFValueType.FLOAT32),
    "min_p": ("min_p", GGUFValueType.FLOAT32),
}
"""generation_config.json's words for how to draw tokens, and general.sampling's."""


def general_metadata(
    method: GgufQuantization, model: Model, generation: Mapping[str, Any], architecture: str
) -> dict[str, Value]:
    """The keys under general: the name and licence are the parent's, without its family or folder."""
    licence = card_licence(model.folder / CARD)
    texts = {"general.type": "model", "general.name": shown_name(model), "general.license": licence}
    counts = {"general.file_type": method.file_type, "general.quantization_version": GGML_QUANT_VERSION}
    given = {key: value for key in _SAMPLING if isinstance(value := generation.get(key), int | float)}
    return {
        ARCHITECTURE: Value(GGUFValueType.STRING, architecture),
        **{key: Value(GGUFValueType.STRING, text) for key, text in texts.items() if text},
        **{key: Value(GGUFValueType.UINT32, int(count)) for key, count in counts.items()},
        **{f"general.sampling.{_SAMPLING[key][0]}": Value(_SAMPLING[key][1], value) for key, value in given.items()},
    }


def shown_name(model: Model) -> str:
    """The model's own, without that of its family."""
    return model.name.rpartition(":")[2]
