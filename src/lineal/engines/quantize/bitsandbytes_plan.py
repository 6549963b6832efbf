"""A child in bitsandbytes' codes before a weight is read: which layers have codes, and what stands against it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lineal.checkpoint.names.roles import linear_layers
from lineal.checkpoint.written.layout import Planned
from lineal.engines.merge.child_package import own_package, own_rules
from lineal.engines.parents.kept import kept
from lineal.engines.parents.model import Model
from lineal.engines.quantize.bitsandbytes_packing import DTYPES, EightBitPacking, FourBitPacking
from lineal.engines.quantize.packed_plan import Chosen, chosen_layers
from lineal.engines.quantize.refused_layers import refuse_layers
from lineal.engines.stream.compound import Task
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.packed import Packed, Packing
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import CheckpointError
from lineal.methods.quantize.bitsandbytes import BitsAndBytes
from lineal.shown import quoted

_EXPERTS: Final = r".*\.experts"
"""The expression that transformers knows the experts of a mixture by."""


def plan_bitsandbytes(method: BitsAndBytes, model: Model) -> StreamPlan:
    """The plan for a model of a known architecture. The child's tensors have published names."""
    shapes = {name: model.sources[name].shape for name in model}
    chosen = _chosen(method, shapes, model.config, model.name)
    layers = {name: (shapes[name], model.sources[name].dtype) for name in chosen.quantized}
    _refuse(method, layers, model.name)
    dtype = next(dtype for _, dtype in layers.values())
    planned = {name: Planned(name, model.sources[name].dtype, shape) for name, shape in shapes.items()}
    turned = [name for name, one in planned.items() if name not in layers and _dtype(one, dtype) != one.dtype]
    tasks = tuple(_task(method, model, one, dtype, is_coded=one.name in layers) for one in planned.values())
    config = {**model.config, "quantization_config": _config(method, dtype, chosen.ignored)}
    remarks = (*model.remarks, *_remarks(chosen.ignored, turned, dtype, model.name))
    return StreamPlan(tasks, own_package(model, config).child(), remarks, own_rules(model))


def bitsandbytes_tensors(
    method: BitsAndBytes, tensors: Sequence[Planned], config: Mapping[str, Any], label: str
) -> tuple[Planned, ...]:
    """What will be stored of a model with these tensors."""
    chosen = _chosen(method, {one.name: one.shape for one in tensors}, config, label).quantized
    _refuse(method, {one.name: (one.shape, one.dtype) for one in tensors if one.name in chosen}, label)
    packing, dtype = _packing(method), next(one.dtype for one in tensors if one.name in chosen)
    return tuple(
        stored
        for one in tensors
        for stored in (packing.tensors(one) if one.name in chosen else (replace(one, dtype=_dtype(one, dtype)),))
    )


def _dtype(stands: Planned, of_layers: str) -> str:
    """What a tensor without codes is stored as: transformers leaves such weights as they are stored, in bitsandbytes'
    folders alone, and then cannot multiply those of two dtypes."""
    return of_layers if stands.name.endswith(".weight") and stands.dtype in DTYPES else stands.dtype


def _packing(method: BitsAndBytes) -> Packing:
    if method.scheme == "int8":
        return EightBitPacking()
    return FourBitPacking(method.scheme, method.block_size, method.double_quantization)


def _chosen(
    method: BitsAndBytes, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], label: str
) -> Chosen:
    """Without the experts of mixtures, which transformers holds in one tensor and reads no codes of."""
    chosen = chosen_layers(method, shapes, config, label)
    roles = linear_layers(shapes, config.get("model_type"), label)
    experts = {name for name, role in roles.items() if role.expert is not None}
    if not experts:
        return chosen
    ignored = (one for one in chosen.ignored if f"{one}.weight" not in experts)
    return Chosen(chosen.quantized - experts, (*ignored, _EXPERTS))


def _task(method: BitsAndBytes, model: Model, whole: Planned, dtype: str, *, is_coded: bool) -> Task:
    """whole: a tensor as its parent has it; dtype: of weights."""
    source, packing = model.sources[whole.name], _packing(method)
    if is_coded:
        return Packed(Job(whole, (source,), method=method, unit=packing.unit(whole)), packing)
    if _dtype(whole, dtype) != whole.dtype:
        return Job(replace(whole, dtype=dtype), (source,), method=method)
    return kept(whole.name, source)


def _refuse(method: BitsAndBytes, layers: Mapping[str, tuple[tuple[int, ...], str]], label: str) -> None:
    if not layers:
        raise CheckpointError(f"{label}: nothing is left to quantize but experts, which stay as they are")

    def fault(shape: tuple[int, ...], dtype: str) -> str | None:
        """Blocks run over rows, and bitsandbytes 0.50 reads those of divided rows with wrong scales on many a CPU."""
        if dtype not in DTYPES:
            return f"is {dtype}, which is not quantized as it is ({', '.join(DTYPES)} are)"
        if method.scheme == "int8" or shape[1] % method.block_size == 0:
            return None
        fits = next((str(size) for size in (64, 32) if shape[1] % size == 0), None)
        way_out = "leave it as it is with ignore" if fits is None else f"block_size {fits} fits"
        return f"has rows of {shape[1]}, no whole blocks of {method.block_size}; {way_out}"

    refuse_layers(label, method.scheme, layers, fault)


def _config(method: BitsAndBytes, dtype: str, ignored: Sequence[str]) -> dict[str, Any]:
    """What config.json says, with all keys that transformers writes. Numbers are computed in as the weights were."""
    is_four_bits = method.scheme != "int8"
    return {
        "bnb_4bit_compute_dtype": DTYPES[dtype],
        "bnb_4bit_quant_storage": "uint8",
        "bnb_4bit_quant_type": method.scheme if is_four_bits else "fp4",
        "bnb_4bit_use_double_quant": is_four_bits and method.double_quantization,
        "llm_int8_enable_fp32_cpu_offload": False,
        "llm_int8_has_fp16_weight": False,
        "llm_int8_skip_modules": list(ignored),
        "llm_int8_threshold": 6.0,
        "load_in_4bit": is_four_bits,
        "load_in_8bit": not is_four_bits,
        "quant_method": "bitsandbytes",
    }


def _remarks(ignored: Collection[str], turned: Sequence[str], dtype: str, label: str) -> Iterator[str]:
    if _EXPERTS in ignored:
        yield f"{label}: its experts stay as they are: transformers reads no codes of them"
    if turned:
        yield f"{label}: {len(turned)} other weights, {quoted(turned[0])} among them, become {dtype}, as its layers are"
