"""A GGUF before a weight is read: everything that stands against it at once, else one job a tensor and the metadata."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.checkpoint.names.tied_heads import says_tied
from lineal.checkpoint.tokenizer_types import TOKENIZER
from lineal.checkpoint.written.layout import Planned
from lineal.engines.gguf.child import GgufChild
from lineal.engines.gguf.llama_keys import (
    EMBEDDING,
    HEAD,
    ROTARY_DIVISORS,
    TURNED,
    Llama,
    gguf_names,
    llama_faults,
    llama_metadata,
    llama_of_config,
    llama_tensors,
)
from lineal.engines.gguf.tokenizer_keys import tokenizer_faults, tokenizer_metadata
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_general_keys import general_metadata
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles, read_tokenizer
from lineal.errors import CheckpointError
from lineal.methods.quantize import GgufQuantization
from lineal.methods.quantize.constant import Constant
from lineal.methods.quantize.rotary_pairs import RotaryPairs
from lineal.shown import quoted

_SHOWN = 12


def plan_gguf(method: GgufQuantization, model: Model) -> StreamPlan:
    """The plan for a Llama with a byte-level BPE tokenizer."""
    config = model.checkpoint.config
    _refuse(model.name, llama_faults(config))
    llama = llama_of_config(config)
    planned = _planned(method, llama, tied=model.tied)
    tokenizer, faults = _tokenizer(model.folder, llama.vocabulary)
    _refuse(model.name, chain(_tensor_faults(model, planned), _row_faults(planned), faults))
    metadata = {
        **general_metadata(method, model, tokenizer.generation),
        **llama_metadata(llama),
        **tokenizer_metadata(tokenizer, llama.vocabulary),
    }
    jobs = [_job(method, llama, model, name, tensor) for name, tensor in planned.items()]
    if llama.rotary.divisors:
        jobs.append(Job(_divisors(llama), (), method=Constant(values=llama.rotary.divisors)))
    return StreamPlan(tuple(jobs), GgufChild(metadata, model.folder), model.remarks, model.rules)


def gguf_tensors(
    method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str], label: str
) -> tuple[Planned, ...]:
    """What a GGUF of a model with this config and these tensors would hold."""
    _refuse(label, llama_faults(config))
    llama = llama_of_config(config)
    planned = _planned(method, llama, tied=says_tied(config) and HEAD not in stored)
    _refuse(label, _row_faults(planned))
    return (*planned.values(), *([_divisors(llama)] if llama.rotary.divisors else []))


def gguf_weights(method: GgufQuantization, config: Mapping[str, Any], stored: Collection[str]) -> tuple[Planned, ...]:
    """The same as a merge would see it: transformers' names, blocks as float16."""
    tied = says_tied(config) and HEAD not in stored
    return tuple(
        Planned(name, "F16" if tensor.dtype in BLOCKS else tensor.dtype, tensor.shape)
        for name, tensor in _planned(method, llama_of_config(config), tied=tied).items()
    )


def _planned(method: GgufQuantization, llama: Llama, *, tied: bool) -> dict[str, Planned]:
    """transformers' name of each tensor -> the tensor of the GGUF."""
    names, logits = gguf_names(llama, tied=tied), EMBEDDING if tied else HEAD
    return {
        name: Planned(names[name], method.stored_as(shape, makes_logits=name == logits), shape)
        for name, shape in llama_tensors(llama, tied=tied).items()
    }


def _divisors(llama: Llama) -> Planned:
    return Planned(ROTARY_DIVISORS, "F32", (len(llama.rotary.divisors),))


def _job(method: GgufQuantization, llama: Llama, model: Model, name: str, planned: Planned) -> Job:
    turned = name.endswith(TURNED)
    return Job(planned, (model[name],), method=RotaryPairs(head_size=llama.head_size) if turned else method)


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
            yield f"{quoted(name)} is no tensor of a Llama with this config"
    for name, tensor in planned.items():
        spec = model.sources[name].spec if name in model else None
        if spec is None:
            continue
        if spec.shape != tensor.shape:
            yield f"{quoted(name)} is {list(spec.shape)}, its config says {list(tensor.shape)}"
        elif spec.dtype not in FLOATS:
            yield f"{quoted(name)} is {spec.dtype}, which has no values to round"


def _row_faults(planned: Mapping[str, Planned]) -> Iterator[str]:
    for name, tensor in planned.items():
        block, row = BLOCKS.get(tensor.dtype, (1, 0))[0], tensor.shape[-1]
        if row % block:
            yield f"{quoted(name)} {list(tensor.shape)} has rows of {row}; {tensor.dtype} has blocks of {block}"


def _refuse(label: str, found: Iterable[str]) -> None:
    faults = list(found)
    if faults:
        shown = [*faults[:_SHOWN], *([f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else [])]
        raise CheckpointError(f"{label} cannot be written as a GGUF: " + "; ".join(shown))
