"""What a GGUF says of itself, whatever its architecture."""

import re
from collections.abc import Mapping
from typing import Any

from gguf import GGML_QUANT_VERSION, GGUFValueType, size_label
from gguf.metadata import Metadata

from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE, Value
from lineal.checkpoint.licence.texts import card_licence
from lineal.checkpoint.package import CARD
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_card_keys import card_keys, hub_id
from lineal.methods.quantize.gguf import GgufQuantization

_SAMPLING = {
    "temperature": ("temp", GGUFValueType.FLOAT32),
    "top_k": ("top_k", GGUFValueType.INT32),
    "top_p": ("top_p", GGUFValueType.FLOAT32),
    "min_p": ("min_p", GGUFValueType.FLOAT32),
}
"""generation_config.json's words for how to draw tokens, and general.sampling's."""
_EXPERT = re.compile(r".+\.experts\.(\d+)\..+")


def general_metadata(
    method: GgufQuantization, model: Model, generation: Mapping[str, Any], architecture: str
) -> dict[str, Value]:
    """The keys under general: name, card and licence are the parent's, without its family or folder."""
    licence = card_licence(model.folder / CARD)
    texts = {"general.type": "model", "general.name": model.name.rpartition(":")[2], "general.license": licence}
    counts = {"general.file_type": method.file_type, "general.quantization_version": GGML_QUANT_VERSION}
    given = {key: value for key in _SAMPLING if isinstance(value := generation.get(key), int | float)}
    return {
        ARCHITECTURE: Value(GGUFValueType.STRING, architecture),
        **{key: Value(GGUFValueType.STRING, text) for key, text in {**texts, **_name_parts(model)}.items() if text},
        **{key: Value(GGUFValueType.UINT32, int(count)) for key, count in counts.items()},
        **{f"general.sampling.{_SAMPLING[key][0]}": Value(_SAMPLING[key][1], value) for key, value in given.items()},
        **card_keys(model.folder),
    }


def _name_parts(model: Model) -> dict[str, str | None]:
    """What the name of a model consists of, as llama.cpp's converter takes names apart; its size where none says it."""
    name = hub_id(model.folder) or model.name.rpartition(":")[2]
    experts = {int(found[1]) for name in model if (found := _EXPERT.fullmatch(name))}
    in_experts = sum(_count(model, name) for name in model if _EXPERT.fullmatch(name))
    total = sum(_count(model, name) for name in model)
    each = in_experts // len(experts) if experts else 0
    _, _, basename, finetune, _, size = Metadata.get_model_id_components(name, total)
    size = size or size_label(total, total - in_experts, each, len(experts))
    return {"general.basename": basename, "general.finetune": finetune, "general.size_label": size}


def _count(model: Model, name: str) -> int:
    return model.sources[name].spec.elements
