"""A GGUF of a GGUF before a weight is read: its tensors in other types, under their own names, and its own keys."""

import re
from collections.abc import Iterator, Mapping

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.written.layout import Planned
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.child import GgufChild
from lineal.engines.parents.model import Model
from lineal.engines.quantize.gguf_general_keys import general_metadata
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


def plan_requantized(method: GgufQuantization, model: Model) -> StreamPlan:
    """The plan for a GGUF of a known architecture; what it holds in the type that is wanted is copied block for block.

    No keys are worked out anew, and rows are turned only where an adapter is added, whose rows are transformers'.
    """
    checkpoint, adapted = model.checkpoint, _adapted(model)
    planned = _planned(method, model)
    for fault in _row_faults(planned):
        raise CheckpointError(f"{model.name} cannot be written as a GGUF: {fault}")
    jobs: list[Job] = []
    for name, tensor in planned.items():
        spec, source = checkpoint[name], adapted.get(name)
        is_copied = source is None and tensor.dtype == spec.dtype and spec.dtype in BLOCKS
        back = None if source is None or source.turn is None else source.turn.back
        made = method if back is None else Turned(dims=back.dims, axes=back.axes)
        jobs.append(Job(tensor, (source or Source(model.name, spec),), method=None if is_copied else made))
    child = GgufChild(_metadata(method, model), None if checkpoint.lone else model.folder)
    return StreamPlan(tuple(jobs), child, model.remarks, model.rules)


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


def _planned(method: GgufQuantization, model: Model) -> dict[str, Planned]:
    logits = "token_embd.weight" if model.tied else "output.weight"
    return {
        name: Planned(name, method.stored_as(spec.shape, makes_logits=name == logits), spec.shape)
        for name, spec in model.checkpoint.items()
    }


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
    own = _OF_THE_TYPES if model.adapter is None else (*_OF_THE_TYPES, "general.name")
    return {**kept, **{key: written[key] for key in own}}
