"""Weights that are stored as codes, among the tensors of a model: as which they are published, and read."""

from collections.abc import Mapping
from dataclasses import replace

from lineal.checkpoint.adapter.adapter import LowRankUpdate
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import byte_length
from lineal.checkpoint.layouts.views import View
from lineal.checkpoint.quantized.coded import Coded, Quantized
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.shown import quoted


def weights(checkpoint: Checkpoint, quantized: Quantized) -> Mapping[str, TensorSpec]:
    """The tensors as a folder of full weights would have them, in the order of what is stored.

    A weight stored as codes stands for itself with a byte for each element, the first at place 0: where a view of it
    lies then says which elements it is made of.
    """
    of_codes = {coded.spec.name: name for name, coded in quantized.coded.items()}
    found: dict[str, TensorSpec] = {}
    for key, spec in checkpoint.items():
        name = of_codes.get(key)
        if name is not None:
            found[name] = _numbered(name, quantized.coded[name])
        elif key not in quantized.beside:
            found[key] = spec
    return found


def coded_source(model: str, codes: Coded, view: View, update: LowRankUpdate | None) -> Source:
    """A tensor that is all of a weight stored as codes, or a part of it."""
    first, elements = view.spec.offset, view.spec.byte_length
    spec = replace(codes.spec, shape=view.spec.shape)
    if elements != codes.spec.elements:
        if codes.turn is not None:
            raise CheckpointError(f"{model}: {quoted(codes.spec.name)} cannot be taken apart as it is stored")
        place = (codes.spec.offset + byte_length(spec.dtype, first), byte_length(spec.dtype, elements))
        spec = TensorSpec(view.spec.name, spec.dtype, spec.shape, spec.path, *place)
    if codes.turn is not None and view.turn is not None:
        raise CheckpointError(f"{model}: {quoted(codes.spec.name)} is stored in an order that is not known")
    return Source(model, spec, update, codes, codes.turn or view.turn, first=first)


def as_weight(view: View, codes: Coded | None) -> TensorSpec:
    """A published tensor with the dtype that it has in full."""
    return view.spec if codes is None else replace(view.spec, dtype=codes.dtype)


def _numbered(name: str, coded: Coded) -> TensorSpec:
    spec = coded.spec
    return TensorSpec(name, "CODES8", coded.shape, spec.path, 0, spec.elements)
