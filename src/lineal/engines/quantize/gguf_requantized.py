"""A GGUF of a GGUF before a weight is read: its tensors in other types, under their own names, and its own keys."""

import re
from collections.abc import Iterator, Mapping

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.checkpoint.written.layout import Planned
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.child import GgufChild
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_general_keys import general_metadata
from lineal.engines.quantize.gguf_types import model_shape, rules_of
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.shown import quoted

_OF_THE_FILE = re.compile(r"general\.alignment|split\..+|quantize\.imatrix\..+")
"""Keys that tell how a file is laid out and how its own blocks came about."""

_OF_THE_TYPES = ("general.file_type", "general.quantization_version")


def plan_requantized(method: GgufQuantization, model: Model, importance: ImportanceMatrix | None = None) -> StreamPlan:
    """The plan for a GGUF of a known architecture; what it holds in the type that is wanted is copied block for block.

    Neither rows are turned nor keys worked out anew: the child is laid out as its parent is.
    """
    checkpoint = model.checkpoint
    if model.adapter is not None:
        raise CheckpointError(
            f"{model.name}: an adapter on a GGUF; make it part of its base first: "
            "lineal merge ADAPTER --method adapter --base GGUF --out FOLDER"
        )
    architecture = architecture_of(checkpoint)
    of = model_shape(architecture, architecture.of_gguf(checkpoint), importance, tied=model.tied)
    shapes = {name: spec.shape for name, spec in checkpoint.items()}
    types = method.types(shapes, of)
    planned = {name: Planned(name, types[name], shape) for name, shape in shapes.items()}
    for fault in _row_faults(planned):
        raise CheckpointError(f"{model.name} cannot be written as a GGUF: {fault}")
    jobs: list[Job] = []
    for name, tensor in planned.items():
        spec = checkpoint[name]
        is_copied = tensor.dtype == spec.dtype and spec.dtype in BLOCKS
        jobs.append(Job(tensor, (Source(model.name, spec),), method=None if is_copied else method))
    child = GgufChild(_metadata(method, model), None if checkpoint.lone else model.folder)
    return StreamPlan(tuple(jobs), child, model.remarks, rules_of(method, model.rules, shapes, of))


def _row_faults(planned: Mapping[str, Planned]) -> Iterator[str]:
    for name, tensor in planned.items():
        block, row = BLOCKS.get(tensor.dtype, (1, 0))[0], tensor.shape[-1] if tensor.shape else 1
        if row % block:
            yield f"{quoted(name)} {list(tensor.shape)} has rows of {row}; {tensor.dtype} has blocks of {block}"


def _metadata(method: GgufQuantization, model: Model) -> dict[str, Value]:
    """The parent's keys as they are, but for those that the new types make other ones."""
    checkpoint = model.checkpoint
    written = general_metadata(method, model, {}, architecture_of(checkpoint).name)
    kept = {key: value for key, value in checkpoint.metadata.items() if not _OF_THE_FILE.fullmatch(key)}
    return {**kept, **{key: written[key] for key in _OF_THE_TYPES}}
