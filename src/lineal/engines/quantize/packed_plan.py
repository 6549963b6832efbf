"""A child with packed weights before any is read: which layers are quantized, what is stored of each, what stands
against it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, final

from lineal.checkpoint.names.roles import linear_layers
from lineal.checkpoint.names.tensor_names import HEAD, TOKEN_EMBEDDING
from lineal.checkpoint.written.layout import Planned
from lineal.engines.merge.child_package import own_package, own_rules
from lineal.engines.parents.kept import kept
from lineal.engines.parents.model import Model
from lineal.engines.quantize.compressed_tensors import quantization_config
from lineal.engines.quantize.refused_layers import refuse_layers
from lineal.engines.quantize.rounded_packing import RoundedPacking, layer_of
from lineal.engines.stream.compound import Task
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.packed import Packed
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.expressions import Expressions
from lineal.methods.quantize.grid import MIN_MAX, Clipping
from lineal.methods.quantize.packed_schemes import BLOCK, GROUPS, Ignores, Storage, StoresPacked
from lineal.methods.quantize.packed_schemes import HEAD as BY_DEFAULT
from lineal.methods.streaming import StreamingMethod
from lineal.shown import quoted

_SCALES: Final = ("BF16", "F16", "F32")
"""The dtypes of weights, which scales are stored as, too."""


def plan_packed(method: StoresPacked, by: StreamingMethod, model: Model, clipping: Clipping = MIN_MAX) -> StreamPlan:
    """The plan for a model of a known architecture, every layer rounded to nearest.

    by: makes the weights that are rounded; clipping: of ranges. The child's tensors have published names, whatever
    layout the parent has.
    """
    shapes = {name: model.sources[name].shape for name in model}
    chosen = chosen_layers(method, shapes, model.config, model.name)
    dtypes = {name: model.sources[name].dtype for name in chosen.quantized}
    _refuse(model.name, method.storage, {name: (shapes[name], dtype) for name, dtype in dtypes.items()})
    packings = {name: RoundedPacking(method.storage, dtype, clipping) for name, dtype in dtypes.items()}
    tasks = tuple(_task(by, model, name, packings.get(name)) for name in model)
    said = quantization_config(method.storage, next(iter(dtypes.values())), chosen.ignored)
    child = own_package(model, {**model.config, "quantization_config": said}).child()
    remarks = (*model.remarks, *_remarks(method.storage, model.name, shapes, chosen.quantized))
    return StreamPlan(tasks, child, remarks, own_rules(model))


def packed_tensors(
    method: StoresPacked, tensors: Sequence[Planned], config: Mapping[str, Any], label: str
) -> tuple[Planned, ...]:
    """What will be stored of a model with these tensors."""
    chosen = chosen_layers(method, {one.name: one.shape for one in tensors}, config, label).quantized
    _refuse(label, method.storage, {one.name: (one.shape, one.dtype) for one in tensors if one.name in chosen})
    return tuple(
        stored
        for one in tensors
        for stored in (RoundedPacking(method.storage, one.dtype).tensors(one) if one.name in chosen else (one,))
    )


@final
class Chosen(NamedTuple):
    """quantized: names of weights; ignored: of the linear layers that are left as they are."""

    quantized: frozenset[str]
    ignored: tuple[str, ...]


def chosen_layers(
    method: Ignores, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], label: str
) -> Chosen:
    """Of a model with tensors of these shapes. Raises: CheckpointError: nothing is left; a name that is none of it."""
    heads = {name for name in shapes if HEAD.fullmatch(name) and name.endswith(".weight")}
    layers = {*linear_layers(shapes, config.get("model_type"), label), *heads}
    left = _ignored(method, {layer_of(name) for name in layers}, label)
    quantized = frozenset(name for name in layers if layer_of(name) not in left)
    if not quantized:
        raise CheckpointError(f"{label}: every linear layer is ignored, nothing is left to quantize")
    matrices = (name for name, shape in shapes.items() if name.endswith(".weight") and len(shape) == 2)
    ignored = {layer_of(name) for name in matrices if name not in quantized and not TOKEN_EMBEDDING.fullmatch(name)}
    tied = () if heads else BY_DEFAULT
    return Chosen(quantized, tuple(sorted({*ignored, *tied})))


def _ignored(method: Ignores, layers: Collection[str], label: str) -> frozenset[str]:
    expressions = Expressions(f"{method.name}: ignore", CheckpointError)
    found: set[str] = set()
    for pattern in method.ignore:
        expression = pattern.removeprefix("re:")
        hit = {one for one in layers if expressions.begins(expression, one)} if expression != pattern else {pattern}
        hit &= set(layers)
        if not hit and pattern not in BY_DEFAULT:
            raise CheckpointError(f"{label}: ignore: {quoted(pattern)} is no linear layer of it")
        found |= hit
    return frozenset(found)


def _task(by: StreamingMethod, model: Model, name: str, packing: RoundedPacking | None) -> Task:
    """packing: of a weight that is quantized."""
    source = model.sources[name]
    if packing is None:
        return kept(name, source)
    weight = Planned(name, packing.scale_dtype, source.shape)
    return Packed(Job(weight, (source,), method=by, unit=packing.unit(weight)), packing)


def _refuse(label: str, storage: Storage, layers: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
    def fault(shape: tuple[int, ...], dtype: str) -> str | None:
        if dtype not in _SCALES:
            return f"is {dtype}, which is not quantized as it is ({', '.join(_SCALES)} are)"
        span = storage.span
        if isinstance(span, int) and shape[1] % span:
            return f"has rows of {shape[1]}, no whole groups of {span}; {_way_out(storage, shape[1])}"
        return None

    refuse_layers(label, storage.scheme.name, layers, fault)


def _way_out(storage: Storage, columns: int) -> str:
    ignoring = "leave it as it is with ignore"
    if not storage.scheme.has_groups:
        return ignoring
    smaller = [str(size) for size in GROUPS if columns % size == 0]
    return f"group_size {smaller[-1] if smaller else 'channel'} fits, or {ignoring}"


def _remarks(
    storage: Storage, label: str, shapes: Mapping[str, tuple[int, ...]], quantized: Collection[str]
) -> Iterator[str]:
    if storage.span == "block":
        uneven = sorted(name for name in quantized if any(size % BLOCK for size in shapes[name]))
        if uneven:
            yield (
                f"{label}: {len(uneven)} layers are no whole blocks of {BLOCK} x {BLOCK}, {quoted(uneven[0])} among "
                "them; transformers reads them, vLLM may not"
            )
    if not storage.symmetric:
        yield (
            "transformers loads weights with zero points only as full weights: "
            "quantization_config=CompressedTensorsConfig(dequantize=True)"
        )
