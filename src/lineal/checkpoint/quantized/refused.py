"""What is refused by name: formats that are not read, rotated weights, and codes that no config speaks of."""

from collections.abc import Collection
from typing import Final

from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError
from lineal.shown import quoted

WAY_OUT = "dequantize it with the library that made it, or name the model it was made from"

_NAMES: Final = {
    "aqlm": "AQLM",
    "auto-round": "AutoRound",
    "bitnet": "BitNet",
    "eetq": "EETQ",
    "fouroversix": "Four Over Six",
    "fp_quant": "FP-Quant",
    "gemma": "Google for Gemma",
    "higgs": "HIGGS",
    "hqq": "HQQ",
    "metal": "Metal",
    "mlx": "MLX",
    "modelopt": "NVIDIA ModelOpt",
    "quanto": "Quanto",
    "quark": "AMD Quark",
    "sinq": "SINQ",
    "spqr": "SpQR",
    "torchao": "torchao",
    "vptq": "VPTQ",
}
"""Formats that are not read, by quant_method."""

_STRAY: Final = {
    ".weight_packed": "compressed-tensors",
    ".weight_scale": "compressed-tensors",
    ".weight_scale_inv": "scaled float8",
    ".qweight": "GPTQ or AWQ",
    ".qzeros": "GPTQ or AWQ",
    ".weight.absmax": "bitsandbytes",
    ".weight.quant_map": "bitsandbytes",
    ".weight.nested_absmax": "bitsandbytes",
    ".weight.nested_quant_map": "bitsandbytes",
    ".quant_state.bitsandbytes__nf4": "bitsandbytes",
    ".quant_state.bitsandbytes__fp4": "bitsandbytes",
    ".weight.SCB": "bitsandbytes",
    ".SCB": "bitsandbytes",
    ".weight_format": "bitsandbytes",
    ".W_q": "HQQ",
    "._weight_qdata": "torchao",
    ".experts.gate_up_proj_blocks": "MXFP4",
    ".experts.down_proj_blocks": "MXFP4",
    ".experts.gate_up_proj_scales": "MXFP4",
    ".experts.down_proj_scales": "MXFP4",
}
"""How names of tensors end that are parts of quantized weights alone, and in which format."""

_WHOLE = frozenset({"I8", "U8", "I16", "U16", "I32", "U32", "F8_E8M0"})
"""Of a weight no values: codes."""


def refuse_unknown(folder: QuantizedFolder) -> CheckpointError:
    """What to raise of a folder whose format is not read."""
    method = folder.settings.get("quant_method")
    if method is None and {"bits", "group_size"} <= folder.settings.keys():
        return folder.fault(f"holds weights quantized by MLX, which are not read; {WAY_OUT}")
    name = _NAMES.get(str(method))
    told = "a quantization_config without a quant_method" if method is None else f"the quant_method {quoted(method)}"
    what = f"weights quantized by {name} ({told})" if name else f"quantized weights of {told}"
    return folder.fault(f"{folder.checkpoint.folder} holds {what}, codes in a form that is not read; {WAY_OUT}")


def refuse_mlx(checkpoint: Checkpoint, label: str) -> None:
    """MLX says under a key of its own what it quantized."""
    if "quantization" in checkpoint.config:
        raise CheckpointError(f"{label}: holds weights quantized by MLX, which are not read; {WAY_OUT}")


def refuse_transformed(folder: QuantizedFolder) -> None:
    """Rotated weights are others than the model's, whatever they are stored as."""
    if folder.settings.get("transform_config"):
        raise folder.fault(
            f"{folder.checkpoint.folder} holds rotated weights (quantization_config.transform_config), which mean "
            "nothing without their rotations; name the model it was made from"
        )


def refuse_stray_codes(checkpoint: Checkpoint, label: str, known: Collection[str] = ()) -> None:
    """Refuse parts of quantized weights that no weight was found for. known: those that one was found for.

    A folder like this lost its quantization_config, or names of tensors that their bytes no longer agree with.
    """
    for name, spec in checkpoint.items():
        if name in known:
            continue
        form = next((form for end, form in _STRAY.items() if name.endswith(end)), None)
        if form is not None:
            raise CheckpointError(
                f"{label}: {quoted(name)} ({spec.dtype}) has the name of a part of {form} weights, and its config.json "
                f"says nothing of such a weight; {WAY_OUT}"
            )


def refuse_bare_codes(folder: QuantizedFolder, known: Collection[str]) -> None:
    """Refuse weights of integers that no scales were found for: in a quantized folder they are codes."""
    for name, spec in folder.checkpoint.items():
        if name.endswith(".weight") and spec.dtype in _WHOLE and len(spec.shape) > 1 and name not in known:
            raise folder.fault(f"{quoted(name)} is {spec.dtype}, which are codes, and nothing says of what; {WAY_OUT}")
