"""A GGUF before a weight is read: everything that stands against it at once, else one job a tensor and the metadata."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.checkpoint.names.tied_heads import says_tied
from lineal.checkpoint.tokenizer_types import TOKENIZER
from lineal.checkpoint.written.layout import Planned
from lineal.engines.gguf.architectures import Architecture, architecture_to_write
from lineal.engines.gguf.child import GgufChild
from lineal.engines.gguf.llama_keys import HEAD, ROTARY_DIVISORS, Llama
from lineal.engines.gguf.tokenizer_keys import tokenizer_faults, tokenizer_metadata
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_general_keys import general_metadata
from lineal.engines.quantize.importance import encodings, importance_metadata
from lineal.engines.quantize.remarks import short_rows, without_importances
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles, read_tokenizer
from lineal.errors import CheckpointError
from lineal.methods.quantize.constant import Constant
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.mix_table import ModelShape
from lineal.methods.quantize.rotary_pairs import RotaryPairs
from lineal.shown import quoted

_SHOWN = 12


def plan_gguf(method: GgufQuantization, model: Model, importance: ImportanceMatrix | None = None) -> StreamPlan:
    """The plan for a model of a known architecture with a byte-level BPE tokenizer."""
    config = model.checkpoint.config
    architecture = architecture_to_write(config, model.name)
    _refuse(model.name, architecture.faults(config))
    numbers = architecture.of_config(config)
    planned = _planned(method, architecture, numbers, importance, tied=model.tied)
    tokenizer, faults = _tokenizer(model.folder, numbers.vocabulary)
    _refuse(model.name, chain(_tensor_faults(model, planned), faults))
    metadata = {
        **general_metadata(method, model, tokenizer.generation, architecture.name),
        **importance_metadata(importance),
        **architecture.metadata(numbers),
        **tokenizer_metadata(tokenizer, numbers.vocabulary),
    }
    pairs, jobs = RotaryPairs(head_size=numbers.head_size), list[Job]()
    for name, tensor in planned.items():
        jobs.append(Job(tensor, (model[name],), method=pairs if name.endswith(architecture.turned) else method))
    if numbers.rotary.divisors:
        jobs.append(Job(_divisors(numbers), (), method=Constant(values=numbers.rotary.divisors)))
    shapes = {tensor.name: tensor.shape for tensor in planned.values()}
    types = {tensor.name: tensor.dtype for tensor in planned.values()}
    found = encodings(types, shapes, importance)
    jobs = [replace(job, encoding=found[job.planned.name][0]) if job.planned.name in found else job for job in jobs]
    remarks = (*model.remarks, *short_rows(method, types, shapes), *without_importances(types, importance))
    rules = max(model.rules, method.rules(shapes, _shape(architecture, numbers, importance, tied=model.tied)))
    return StreamPlan(tuple(jobs), GgufChild(metadata, model.folder), remarks, rules)


def gguf_tensors(
    method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str], label: str
) -> tuple[Planned, ...]:
    """What a GGUF of a model with this config and these tensors would hold."""
    architecture = architecture_to_write(config, label)
    _refuse(label, architecture.faults(config))
    numbers = architecture.of_config(config)
    planned = _planned(method, architecture, numbers, tied=says_tied(config) and HEAD not in stored)
    return (*planned.values(), *([_divisors(numbers)] if numbers.rotary.divisors else []))


def gguf_weights(
    method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str], label: str
) -> tuple[Planned, ...]:
    """The tensors of the GGUF as a merge would see them: transformers' names, blocks as float16."""
    architecture = architecture_to_write(config, label)
    tied = says_tied(config) and HEAD not in stored
    return tuple(
        Planned(name, "F16" if tensor.dtype in BLOCKS else tensor.dtype, tensor.shape)
        for name, tensor in _planned(method, architecture, architecture.of_config(config), tied=tied).items()
    )


def _planned(
    method: GgufQuantization,
    architecture: Architecture,
    numbers: Llama,
    importance: ImportanceMatrix | None = None,
    *,
    tied: bool,
) -> dict[str, Planned]:
    """transformers' name of each tensor -> the tensor of the GGUF."""
    names, shapes = architecture.names(numbers, tied=tied), architecture.tensors(numbers, tied=tied)
    stored = {names[name]: shape for name, shape in shapes.items()}
    types = method.types(stored, _shape(architecture, numbers, importance, tied=tied))
    return {name: Planned(names[name], types[names[name]], shape) for name, shape in shapes.items()}


def _shape(
    architecture: Architecture, numbers: Llama, importance: ImportanceMatrix | None, *, tied: bool
) -> ModelShape:
    return ModelShape(
        architecture=architecture.name,
        blocks=numbers.blocks,
        heads=numbers.heads,
        kv_heads=numbers.kv_heads,
        tied=tied,
        importance=importance is not None,
    )


def _divisors(numbers: Llama) -> Planned:
    return Planned(ROTARY_DIVISORS, "F32", (len(numbers.rotary.divisors),))


def _tokenizer(folder: Path, rows: int) -> tuple[TokenizerFiles, list[str]]:
    """The model's tokenizer, and what is wrong with it for an embedding of so many rows."""
    try:
        files = read_tokenizer(folder)
        return files, list(tokenizer_faults(files, rows))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{folder / TOKENIZER}: not a tokenizer: {quoted(error)}") from None


def _tensor_faults(model: Model, planned: Mapping[str, Planned]) -> Iterator[str]:
    for name in sorted(planned.keys() - model.keys()):
        yield f"has no {quoted(name)}"
    for name in sorted(model.keys() - planned.keys()):
        if not is_derived_buffer(name, model[name].shape):
            yield f"{quoted(name)} is not a tensor of a model with this config"
    for name, tensor in planned.items():
        spec = model.sources[name].spec if name in model else None
        if spec is None:
            continue
        if spec.shape != tensor.shape:
            yield f"{quoted(name)} is {list(spec.shape)}, its config says {list(tensor.shape)}"
        elif spec.dtype not in FLOATS:
            yield f"{quoted(name)} is {spec.dtype}, which has no values to round"


def _refuse(label: str, found: Iterable[str]) -> None:
    faults = list(found)
    if faults:
        shown = [*faults[:_SHOWN], *([f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else [])]
        raise CheckpointError(f"{label} cannot be written as a GGUF: " + "; ".join(shown))
