"""A GGUF before a weight is read: everything that stands against it at once, else one job a tensor and the metadata."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.codes.ggml import PLAIN, Encoding
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.checkpoint.names.tied_heads import says_tied
from lineal.checkpoint.tokenizer_types import TOKENIZER
from lineal.checkpoint.written.layout import Planned
from lineal.engines.gguf.architectures import architecture_to_write
from lineal.engines.gguf.child import GgufChild
from lineal.engines.gguf.config_keys import dimensions_of_config
from lineal.engines.gguf.dimensions import Dimensions
from lineal.engines.gguf.faults import config_faults, config_remarks
from lineal.engines.gguf.metadata_keys import metadata_of
from lineal.engines.gguf.rotary_keys import rotary_tensors
from lineal.engines.gguf.row import HEAD, Architecture
from lineal.engines.gguf.stored import Stored, stored_tensors
from lineal.engines.gguf.tokenizer_keys import tokenizer_faults, tokenizer_metadata, tokenizer_remarks
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_general_keys import general_metadata, shown_name
from lineal.engines.quantize.gguf_requantized import plan_requantized
from lineal.engines.quantize.gguf_types import chosen, model_shape
from lineal.engines.quantize.importance import importance_metadata
from lineal.engines.stream.compound import Compound, Task
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles, read_tokenizer
from lineal.errors import CheckpointError
from lineal.methods.quantize.constant import Constant
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.raised import Raised
from lineal.methods.quantize.rotary_pairs import RotaryPairs
from lineal.methods.streaming import StreamingMethod
from lineal.shown import listed, quoted


def plan_gguf(
    method: GgufQuantization,
    model: Model,
    importance: ImportanceMatrix | None = None,
    fitted: Mapping[str, str] | None = None,
) -> StreamPlan:
    """The plan for a model of a known architecture.

    fitted: the types that a size led to; where there are none yet, the plan has those that the fit begins with.
    """
    if model.checkpoint.form == "gguf":
        return plan_requantized(method, model, importance, fitted)
    row, numbers = _checked(model.config, model.name, tied=model.tied)
    stored = stored_tensors(row, numbers)
    types = chosen(method, row, numbers, {one.name: one.shape for one in stored}, importance, fitted)
    tokenizer, faults = _tokenizer(model, numbers.vocabulary)
    _refuse(model.name, chain(_tensor_faults(model, stored), faults))
    metadata = {
        **general_metadata(method, model, tokenizer.generation, row.name),
        **importance_metadata(importance),
        **metadata_of(row, numbers),
        **tokenizer_metadata(tokenizer, numbers.vocabulary),
    }
    tasks = [_task(method, model, one, types.of[one.name], types.encodings.get(one.name, ())) for one in stored]
    constants = rotary_tensors(numbers.rotary).items()
    jobs = [Job(_constant(name, values), (), method=Constant(values=values)) for name, values in constants]
    said = (f"{model.name} {remark}" for remark in config_remarks(row, numbers))
    remarks = (*model.remarks, *said, *tokenizer_remarks(tokenizer), *types.remarks)
    return StreamPlan((*tasks, *jobs), GgufChild(metadata, model.folder), remarks, max(model.rules, types.rules))


def gguf_tensors(
    method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str], label: str
) -> tuple[Planned, ...]:
    """What a GGUF of a model with this config and these tensors would hold."""
    row, numbers = _checked(config, label, tied=says_tied(config) and HEAD not in stored)
    tensors = stored_tensors(row, numbers)
    types = _types(method, row, numbers, tensors)
    planned = (Planned(one.name, types[one.name], one.shape) for one in tensors)
    return (*planned, *(_constant(name, values) for name, values in rotary_tensors(numbers.rotary).items()))


def gguf_weights(
    method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str], label: str
) -> tuple[Planned, ...]:
    """The tensors of the GGUF as a merge would see them: transformers' names, blocks as float16."""
    row, numbers = _checked(config, label, tied=says_tied(config) and HEAD not in stored)
    tensors = stored_tensors(row, numbers)
    types = {name: "F16" if dtype in BLOCKS else dtype for name, dtype in _types(method, row, numbers, tensors).items()}
    return tuple(Planned(name, types[one.name], one.part) for one in tensors for name in one.published)


def gguf_free(
    method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str], label: str
) -> frozenset[str]:
    """GGUF's names of the tensors whose types a size may decide."""
    row, numbers = _checked(config, label, tied=says_tied(config) and HEAD not in stored)
    shapes = {one.name: one.shape for one in stored_tensors(row, numbers)}
    return method.free(shapes, model_shape(row, numbers))


def _checked(config: Mapping[str, Any], label: str, *, tied: bool) -> tuple[Architecture, Dimensions]:
    """The row of a config's architecture and its numbers, if a GGUF can say them."""
    row = architecture_to_write(config, label)
    _refuse(label, config_faults(row, config, tied=tied))
    return row, dimensions_of_config(row, config, tied=tied)


def _types(
    method: GgufQuantization, row: Architecture, numbers: Dimensions, stored: Iterable[Stored]
) -> dict[str, str]:
    """GGUF's name of each tensor -> its ggml type."""
    return method.types({one.name: one.shape for one in stored}, model_shape(row, numbers))


def _task(method: GgufQuantization, model: Model, stored: Stored, dtype: str, encoded: Sequence[Encoding]) -> Task:
    """What makes a tensor: the experts that stand in one are made one after the other."""
    planned = Planned(stored.name, dtype, stored.shape)
    encodings_of_parts = encoded or (PLAIN,) * len(stored.published)
    if stored.is_stack:
        parts = (
            Job(Planned(name, dtype, stored.part), (model[name],), method=method, encoding=encoding)
            for name, encoding in zip(stored.published, encodings_of_parts, strict=True)
        )
        return Compound(planned, tuple(parts))
    by: StreamingMethod = method
    if stored.paired is not None:
        by = RotaryPairs(head_size=stored.paired)
    elif stored.raised:
        by = Raised(by=stored.raised)
    return Job(planned, (model[stored.published[0]],), method=by, encoding=encodings_of_parts[0])


def _constant(name: str, values: Sequence[float]) -> Planned:
    return Planned(name, "F32", (len(values),))


def _tokenizer(model: Model, rows: int) -> tuple[TokenizerFiles, list[str]]:
    """The model's tokenizer, and what is wrong with it for an embedding of so many rows."""
    try:
        files = read_tokenizer(model.folder)
        return files, list(tokenizer_faults(files, rows, shown_name(model)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{model.folder / TOKENIZER}: not a tokenizer: {quoted(error)}") from None


def _tensor_faults(model: Model, stored: Iterable[Stored]) -> Iterator[str]:
    shapes = {name: one.part for one in stored for name in one.published}
    for name in sorted(shapes.keys() - model.keys()):
        yield f"has no {quoted(name)}"
    for name in sorted(model.keys() - shapes.keys()):
        if not is_derived_buffer(name, model[name].shape):
            yield f"{quoted(name)} is not a tensor of a model with this config"
    for name, shape in shapes.items():
        found = model.get(name)
        if found is None:
            continue
        if found.shape != shape:
            yield f"{quoted(name)} is {list(found.shape)}, its config says {list(shape)}"
        elif found.dtype not in FLOATS:
            yield f"{quoted(name)} is {found.dtype}, which has no values to round"


def _refuse(label: str, found: Iterable[str]) -> None:
    if faults := list(found):
        raise CheckpointError(f"{label} cannot be written as a GGUF: " + listed(faults))
