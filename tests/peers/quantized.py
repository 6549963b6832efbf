"""What of quantized formats `make test-peers` has their own libraries make, and with which settings."""

from collections.abc import Mapping
from typing import Any

BITSANDBYTES, GPTQMODEL, COMPRESSED, TRANSFORMERS = (
    *("with_bitsandbytes", "with_gptqmodel"),
    *("with_compressed_tensors", "with_transformers"),
)


def _four_bits(kind: str, *, double: bool = False, storage: str = "uint8") -> tuple[str, dict[str, Any]]:
    named = {"bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": double, "bnb_4bit_quant_storage": storage}
    return BITSANDBYTES, {"load_in_4bit": True, **named}


def _gptq(bits: int = 4, size: int = 32, *, sym: bool = False, order: bool = False, form: str = "gptq") -> Any:
    named = {"bits": bits, "group_size": size, "sym": sym, "desc_act": order, "checkpoint_format": form}
    return GPTQMODEL, {"method": "gptq", **named}


def _awq(size: int, dtype: str) -> Any:
    return GPTQMODEL, {"method": "awq", "group_size": size, "dtype": dtype}


MAKERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "nf4": _four_bits("nf4"),
    "nf4-double": _four_bits("nf4", double=True),
    "nf4-bfloat16": _four_bits("nf4", storage="bfloat16"),
    "nf4-float16": _four_bits("nf4", double=True, storage="float16"),
    "fp4": _four_bits("fp4"),
    "fp4-float32": _four_bits("fp4", double=True, storage="float32"),
    "int8": (BITSANDBYTES, {"load_in_8bit": True}),
    "gptq": _gptq(sym=True),
    "gptq-asymmetric": _gptq(size=128),
    "gptq-order": _gptq(order=True),
    "gptq-2": _gptq(2),
    "gptq-3": _gptq(3, order=True),
    "gptq-8": _gptq(8, -1, sym=True),
    "gptq_v2": _gptq(form="gptq_v2", order=True),
    "gptq_v2-3": _gptq(3, form="gptq_v2"),
    "awq": _awq(32, "float16"),
    "awq-bfloat16": _awq(-1, "bfloat16"),
    "fp8-blocks": (TRANSFORMERS, {"kind": "fp8"}),
    "gpt_oss": (TRANSFORMERS, {"kind": "gpt_oss"}),
    "w4a16-32": (COMPRESSED, {"preset": "W4A16", "group_size": 32}),
    **{
        name.lower(): (COMPRESSED, {"preset": name})
        for name in (
            *("W4A16", "W4A16_ASYM", "W2A16", "W3A16", "W8A16", "W8A8", "FP8", "FP8_DYNAMIC", "FP8_BLOCK"),
            *("NVFP4", "NVFP4A16", "MXFP4A16", "MXFP8A16"),
        )
    },
}
MIXTURES: Mapping[str, tuple[str, dict[str, Any]]] = {
    name: MAKERS[name] for name in ("nf4-double", "int8", "gptq-3", "gptq_v2", "awq")
}
"""Those that are tried on a mixture of experts, too."""
