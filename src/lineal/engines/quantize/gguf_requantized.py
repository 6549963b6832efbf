"""A GGUF of a GGUF before a weight is read: its tensors in other types, under their own names, and its own keys."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lineal.checkpoint.codes.ggml import PLAIN, Encoding
from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.importance.matrix import ImportanceMatrix
from lineal.checkpoint.written.layout import Planned
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.child import GgufChild
from lineal.engines.gguf.metadata_keys import dimensions_of_gguf
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_general_keys import general_metadata
from lineal.engines.quantize.gguf_types import chosen
from lineal.engines.quantize.importance import importance_metadata
from lineal.engines.stream.compound import Compound, Task
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.quantize.turned import Turned
from lineal.shown import quoted

_OF_THE_FILE = re.compile(r"general\.alignment|split\..+|quantize\.imatrix\..+")
"""Keys that tell how a file is laid out and how its own blocks came about."""

_OF_THE_TYPES = ("general.file_type", "general.quantization_version")


def plan_requantized(
    method: GgufQuantization,
    model: Model,
    importance: ImportanceMatrix | None,
    fitted: Mapping[str, str] | None,
) -> StreamPlan:
    """The plan for a GGUF of a known architecture; what it holds in the type that is wanted is copied block for block.

    No keys are worked out anew, and rows are turned only where an adapter is added, whose rows are transformers'.
    """
    checkpoint, adapted = model.checkpoint, _adapted(model)
    row = architecture_of(checkpoint)
    shapes = {name: spec.shape for name, spec in checkpoint.items()}
    types = chosen(method, row, dimensions_of_gguf(row, checkpoint), shapes, importance, fitted)
    tasks: list[Task] = []
    for name, spec in checkpoint.items():
        planned, encoded = Planned(name, types.of[name], spec.shape), types.encodings.get(name, ())
        changed = adapted.get(name)
        tasks.append(
            _task(method, Source(model.name, spec), planned, encoded)
            if changed is None
            else _changed(method, changed, planned, encoded)
        )
    child = GgufChild(_metadata(method, model, importance), None if checkpoint.lone else model.folder)
    return StreamPlan(tuple(tasks), child, (*model.remarks, *types.remarks), max(model.rules, types.rules))


def _task(method: GgufQuantization, source: Source, planned: Planned, encoded: Sequence[Encoding]) -> Task:
    """A tensor in another type; experts that have importances of their own are encoded one after the other."""
    spec = source.spec
    if planned.dtype == spec.dtype and spec.dtype in BLOCKS:
        return Job(planned, (source,))
    if len(encoded) < 2:
        return Job(planned, (source,), method=method, encoding=encoded[0] if encoded else PLAIN)
    shape, length = spec.shape[1:], spec.byte_length // len(encoded)
    parts = (
        replace(spec, name=f"{spec.name}[{i}]", shape=shape, offset=spec.offset + i * length, byte_length=length)
        for i in range(len(encoded))
    )
    jobs = (
        Job(Planned(part.name, planned.dtype, shape), (replace(source, spec=part),), method=method, encoding=encoding)
        for part, encoding in zip(parts, encoded, strict=True)
    )
    return Compound(planned, tuple(jobs))


def _changed(method: GgufQuantization, source: Source, planned: Planned, encoded: Sequence[Encoding]) -> Task:
    """A tensor that an adapter changes, in transformers' order of rows, and back in the GGUF's."""
    back = None if source.turn is None else source.turn.back
    made = method if back is None else Turned(dims=back.dims, axes=back.axes)
    return Job(planned, (source,), method=made, encoding=encoded[0] if encoded else PLAIN)


def _adapted(model: Model) -> dict[str, Source]:
    """GGUF's name of each tensor that an adapter changes -> the tensor with the change."""
    stored = {(spec.path, spec.offset, spec.byte_length): name for name, spec in model.checkpoint.items()}
    found: dict[str, Source] = {}
    for name, source in model.sources.items():
        place = (source.spec.path, source.spec.offset, source.spec.byte_length)
        if source.update is not None and place not in stored:
            raise CheckpointError(
                f"{model.name}: adapts {quoted(name)}, which its base stores in one tensor with others; make it part "
                "of its base first: lineal merge ADAPTER --method adapter --base GGUF --out FOLDER"
            )
        if source.update is not None:
            found[stored[place]] = source
    return found


def _metadata(method: GgufQuantization, model: Model, importance: ImportanceMatrix | None) -> dict[str, Value]:
    """The parent's keys as they are, but for those that the new types make other ones."""
    checkpoint = model.checkpoint
    written = general_metadata(method, model, {}, architecture_of(checkpoint).name)
    kept = {key: value for key, value in checkpoint.metadata.items() if not _OF_THE_FILE.fullmatch(key)}
    own = _OF_THE_TYPES if model.adapter is None else (*_OF_THE_TYPES, "general.name")
    return {**kept, **{key: written[key] for key in own}, **importance_metadata(importance)}
