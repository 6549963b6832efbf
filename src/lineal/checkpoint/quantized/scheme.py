"""What the config of a folder of quantized weights calls their type, in one word."""

from collections.abc import Mapping
from typing import Any, cast

from lineal.derivation.quantization import QuantizationType

_DYNAMIC = str(QuantizationType.DYNAMIC.value)
_TYPES = tuple(str(kind.value) for kind in QuantizationType)
_BY_METHOD = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp8": "fp8", "mxfp4": "mxfp4"}


def stored_type(settings: Mapping[str, Any]) -> str:
    """By the name that quantization types have; `dynamic` where several are mixed, or where nothing says.

    settings: a quantization_config.
    """
    method = settings.get("quant_method")
    if method == "bitsandbytes":
        found = settings.get("bnb_4bit_quant_type", "fp4") if settings.get("load_in_4bit") else "int8"
    elif "config_groups" in settings:
        found = _of_groups(settings)
    else:
        found = _BY_METHOD.get(str(method), f"int{settings.get('bits', settings.get('w_bit'))}")
    return str(found) if found in _TYPES else _DYNAMIC


def _of_groups(settings: Mapping[str, Any]) -> str:
    """Of compressed-tensors, whose layers are in groups: that of all of them."""
    groups: Any = settings["config_groups"]
    named = {_of_group(group, settings) for group in groups.values()} if isinstance(groups, Mapping) else set[str]()
    return named.pop() if len(named) == 1 else _DYNAMIC


def _of_group(group: object, settings: Mapping[str, Any]) -> str:
    stated = cast(Mapping[str, Any], group) if isinstance(group, Mapping) else {}
    weights = stated.get("weights")
    told = cast(Mapping[str, Any], weights) if isinstance(weights, Mapping) else {}
    bits, form = told.get("num_bits"), str(stated.get("format") or settings.get("format"))
    if told.get("type") == "int":
        return f"int{bits}"
    return "fp8" if bits == 8 else form.partition("-")[0]
