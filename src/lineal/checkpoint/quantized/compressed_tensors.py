"""compressed-tensors: the packed integers, integers and small floats that vLLM and transformers store.

Source: https://github.com/vllm-project/compressed-tensors (its formats, and what is stored under which names).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.quantized.coded import Coded, Quantized
from lineal.checkpoint.quantized.config_groups import Groups, Scheme
from lineal.checkpoint.quantized.float8 import FLOAT8
from lineal.checkpoint.quantized.folder import QuantizedFolder, activation_scales
from lineal.checkpoint.quantized.packed_codes import packed_floats, packed_integers
from lineal.checkpoint.quantized.refused import WAY_OUT
from lineal.checkpoint.quantized.scaled import Scaled
from lineal.checkpoint.quantized.whole_codes import whole_codes
from lineal.errors import CheckpointError
from lineal.shown import quoted

_BUILDERS: Final = {
    "pack-quantized": packed_integers,
    "nvfp4-pack-quantized": packed_floats,
    "mxfp4-pack-quantized": packed_floats,
    "mxfp6-pack-quantized": packed_floats,
    "int-quantized": whole_codes,
    "float-quantized": whole_codes,
    "naive-quantized": whole_codes,
    "mxfp8-quantized": whole_codes,
}
"""By format: what makes a weight of the tensors of a layer."""

_PACKED, _WEIGHT, _SCALE = "weight_packed", "weight", "weight_scale"

_Layers: TypeAlias = Iterator[tuple[str, TensorSpec]]


def read(folder: QuantizedFolder) -> Quantized:
    """Every layer with codes; those that are ignored, and all else, are weights as they stand."""
    _refuse_sparse(folder)
    if folder.settings.get("format") == "dense":
        return Quantized({}, frozenset())
    groups = Groups(folder)
    coded: dict[str, Coded] = {}
    beside = set[str]()
    for layer, codes in _layers(folder):
        weight = f"{layer}{_WEIGHT}"
        found = _weight(folder, groups, layer)
        coded[weight] = found
        stored = {codes.name} - {weight}
        beside |= {spec.name for spec in found.beside} | stored | activation_scales(weight)
    return Quantized(coded, frozenset(beside))


def _layers(folder: QuantizedFolder) -> _Layers:
    """The layers that have codes, as their names with a dot at the end, and the tensors of these."""
    for name, spec in folder.checkpoint.items():
        if name.endswith(f".{_PACKED}"):
            layer = name.removesuffix(_PACKED)
            if f"{layer}{_WEIGHT}" in folder.checkpoint:
                raise folder.fault(f"holds {quoted(layer + _WEIGHT)} twice: as it is, and as {quoted(name)}")
            yield layer, spec
        elif name.endswith(f".{_WEIGHT}"):
            if f"{name.removesuffix(_WEIGHT)}{_SCALE}" in folder.checkpoint:
                yield name.removesuffix(_WEIGHT), spec
            elif spec.dtype in FLOAT8:
                raise folder.fault(f"{quoted(name)} is {spec.dtype} and has no {quoted(f'{name}_scale')}")


def _weight(folder: QuantizedFolder, groups: Groups, layer: str) -> Scaled:
    """Of the schemes that its tensors fit the one that is meant."""
    if len(groups.schemes) == 1:
        return _built(folder, layer, groups.schemes[0])
    fitting: dict[Scheme, Scaled] = {}
    why: list[str] = []
    for scheme in groups.schemes:
        try:
            fitting[scheme] = _built(folder, layer, scheme)
        except CheckpointError as error:
            why.append(str(error).removeprefix(f"{folder.label}: "))
    if not fitting:
        raise folder.fault(f"{quoted(layer[:-1])} fits none of its config_groups: {'; '.join(why)}")
    return fitting[groups.of(layer[:-1], tuple(fitting))]


def _built(folder: QuantizedFolder, layer: str, scheme: Scheme) -> Scaled:
    builder = _BUILDERS.get(scheme.form)
    if builder is None:
        known = ", ".join(_BUILDERS)
        raise folder.fault(
            f"{folder.checkpoint.folder} holds weights in the format {quoted(scheme.form)} of compressed-tensors, "
            f"which is not read (known: {known})"
        )
    return builder(folder, layer, scheme)


def _refuse_sparse(folder: QuantizedFolder) -> None:
    """Weights of which only those other than zero are stored."""
    sparse: Any = folder.settings.get("sparsity_config")
    form = cast(Mapping[str, Any], sparse).get("format") if isinstance(sparse, Mapping) else None
    if form not in (None, "dense"):
        raise folder.fault(
            f"{folder.checkpoint.folder} holds weights in the sparse format {quoted(form)} of compressed-tensors, "
            f"which is not read; {WAY_OUT}"
        )
