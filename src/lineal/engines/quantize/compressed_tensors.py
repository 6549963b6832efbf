"""compressed-tensors' forms: where the codes and scales of a scheme are stored, and the config that says so.

Source: what compressed-tensors 0.20.1 writes and reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lineal.checkpoint.codes.packed.form import Form
from lineal.checkpoint.codes.packed.fp4_pack import Mxfp4Pack, Nvfp4Pack
from lineal.checkpoint.codes.packed.naive_quantized import NaiveQuantized
from lineal.checkpoint.codes.packed.pack_quantized import PackQuantized
from lineal.methods.quantize.packed_schemes import BLOCK, Activations, Storage

_VERSION: Final = "0.20.1"

_INPUTS: Final[Mapping[Activations, Mapping[str, Any]]] = {
    "int8 a token": {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True},
    "int8 a tensor": {"num_bits": 8, "type": "int", "strategy": "tensor", "dynamic": False},
    "float8 a token": {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True},
    "float8 a group": {"num_bits": 8, "type": "float", "strategy": "group", "group_size": BLOCK, "dynamic": True},
    "float8 a tensor": {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False},
}


def form_of(storage: Storage, scale_dtype: str) -> Form:
    """scale_dtype: of scales that are stored as the model's own numbers are."""
    scheme, span = storage.scheme, storage.span
    match scheme.number:
        case "int" if scheme.activations is None:
            group = span if isinstance(span, int) else None
            return PackQuantized(scheme.bits, scale_dtype, group, span == "tensor", storage.symmetric)
        case "int":
            return NaiveQuantized("I8", scale_dtype, static=scheme.is_static)
        case "e4m3":
            block = BLOCK if span == "block" else None
            return NaiveQuantized("F8_E4M3", scale_dtype, block, span == "tensor", scheme.is_static)
        case "e2m1":
            return Nvfp4Pack() if span == 16 else Mxfp4Pack()


def quantization_config(storage: Storage, scale_dtype: str, ignored: Sequence[str]) -> dict[str, Any]:
    """What config.json says of it. ignored: names of linear layers that are stored as they are."""
    form, activations = form_of(storage, scale_dtype).name, storage.scheme.activations
    inputs = None if activations is None else {"symmetric": True, "group_size": None, **_INPUTS[activations]}
    group = {"targets": ["Linear"], "weights": _weights(storage), "input_activations": inputs}
    return {
        "config_groups": {"group_0": {**group, "output_activations": None, "format": form}},
        "format": form,
        "global_compression_ratio": None,
        "ignore": list(ignored),
        "kv_cache_scheme": None,
        "quant_method": "compressed-tensors",
        "quantization_status": "compressed",
        "version": _VERSION,
    }


def _weights(storage: Storage) -> dict[str, Any]:
    scheme, span = storage.scheme, storage.span
    number = "int" if scheme.number == "int" else "float"
    said = {"num_bits": scheme.bits, "type": number, "symmetric": storage.symmetric, "dynamic": False}
    match span:
        case "block":
            return {**said, "group_size": None, "strategy": "block", "block_structure": [BLOCK, BLOCK]}
        case int() if scheme.number == "e2m1":
            strategy, dtype = ("tensor_group", "float8_e4m3fn") if span == 16 else ("group", "uint8")
            return {**said, "group_size": span, "strategy": strategy, "scale_dtype": f"torch.{dtype}"}
        case int():
            return {**said, "group_size": span, "strategy": "group"}
        case _:
            return {**said, "group_size": None, "strategy": span}
