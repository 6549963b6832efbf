"""The formats that weights stored as codes are read in, by what their quantization_config calls them."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from lineal.checkpoint.quantized import awq, bitsandbytes, compressed_tensors, float8, gptq, mxfp4
from lineal.checkpoint.quantized.coded import Quantized
from lineal.checkpoint.quantized.folder import QuantizedFolder, cache_scales, settings_of
from lineal.checkpoint.quantized.refused import (
    refuse_bare_codes,
    refuse_mlx,
    refuse_stray_codes,
    refuse_transformed,
    refuse_unknown,
)
from lineal.checkpoint.reader import Checkpoint

Reader: TypeAlias = Callable[[QuantizedFolder], Quantized]
"""Finds the weights of a folder; raises CheckpointError, which names the tensor, for what the format has otherwise."""

FORMATS: Final[Mapping[str, Reader]] = {
    "awq": awq.read,
    "bitsandbytes": bitsandbytes.read,
    "fp8": float8.read,
    "fbgemm_fp8": float8.read,
    "mxfp8": float8.read,
    "compressed-tensors": compressed_tensors.read,
    "gptq": gptq.read,
    "mxfp4": mxfp4.read,
}
"""By quantization_config.quant_method."""


def quantized_weights(checkpoint: Checkpoint, label: str) -> Quantized:
    """What of a folder is codes, from its config and its headers. label: the model, for errors.

    Raises CheckpointError for a format that is not read, and for codes that no quantization_config speaks of.
    """
    settings = settings_of(checkpoint.config)
    if not settings:
        refuse_mlx(checkpoint, label)
        refuse_stray_codes(checkpoint, label)
        return Quantized({}, frozenset())
    folder = QuantizedFolder(checkpoint, label, settings)
    refuse_transformed(folder)
    reader = FORMATS.get(folder.method)
    if reader is None:
        raise refuse_unknown(folder)
    found = reader(folder)
    beside = found.beside | (cache_scales(checkpoint) if found.coded else frozenset())
    known = {*beside, *found.coded, *(one.spec.name for one in found.coded.values())}
    refuse_bare_codes(folder, known)
    refuse_stray_codes(checkpoint, label, known)
    return Quantized(found.coded, beside)
