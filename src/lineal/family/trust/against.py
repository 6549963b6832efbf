"""A quantization that somebody else made, encoded once more from the model that it is said to come from."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import final

import numpy as np

from lineal.checkpoint.content.hashing import hash_file
from lineal.checkpoint.headers.gguf_metadata import ARCHITECTURE, Metadata, Value
from lineal.checkpoint.importance.files import read_importance
from lineal.derivation.step import DataFile, Input, Step
from lineal.engines.gguf.child import GgufChild
from lineal.engines.gguf.tensors import bare
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.engines.quantize.importance import UNWEIGHTED, encodings
from lineal.engines.quantize.rederived import Encodings, in_words, rederive
from lineal.engines.quantize.tally import Rederived, Variant
from lineal.engines.stream.plan import StreamPlan
from lineal.errors import UsageError, VerificationFailed
from lineal.family.build.weights import own_weights
from lineal.family.session import LocalModel, Session
from lineal.lineage.records.environment import environment
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import StepRecord
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.shown import listed, quoted

METHOD = "llama.cpp"
"""How a step is recorded that another tool did, and that was replayed here."""

_NEAR = 4.0
"""Times the squared error of what is made here, up to which a tensor may be the parent's, quantized otherwise.

Importance matrices raised it by less than 2 wherever it was measured; weights that a training has moved raise it, too,
as soon as they moved by more than the rounding.
"""

_MATRIX_FILE = "quantize.imatrix.file"


class Answer(Enum):
    REPLAYED = "replayed"
    UNDECIDED = "undecided"
    DIFFERS = "differs"


@final
@dataclass(frozen=True)
class Against:
    """What became of a file that was made again. variants: those that give every byte of it; why: of the answer.

    remarks: what the file says of the model beside its weights, where its parent says something else.
    """

    label: str
    parent: str
    answer: Answer
    why: str
    tensors: tuple[Rederived, ...]
    variants: tuple[Variant, ...]
    remarks: tuple[str, ...]
    recorded: bool = False

    @property
    def differing(self) -> tuple[Rederived, ...]:
        return tuple(tensor for tensor in self.tensors if not tensor.agrees)


def verify_against(session: Session, reference: str, parent: str, imatrix: Path | None = None) -> Against:
    """Encode a GGUF's tensors from a parent's weights and compare; where all are equal, the edge is replayed.

    imatrix: the importance matrix that the file is said to be made with, a file.
    """
    file, source = session.find(reference), session.find(parent)
    if file.form != "gguf":
        raise UsageError(f"{reference}: --against makes GGUFs again, it is none; lineal verify MODEL checks others")
    model = own_weights(source)
    plan = plan_gguf(GgufQuantization(scheme="f32"), model)
    if faults := list(_tensor_faults(plan, file)):
        raise VerificationFailed(f"{file.label} is no quantization of {source.label}: {listed(faults)}")
    encoded = _encodings(file, imatrix)
    began = time.monotonic()
    with session.progress.task(f"making {file.label} again", plan.bytes_read, "bytes") as advance:
        variants, tensors = rederive(plan, file.checkpoint, encoded, threads=session.threads, bytes_done=advance)
    answer, why = _judged(variants, tensors, file.checkpoint.metadata, given=imatrix is not None)
    recorded = answer is Answer.REPLAYED and _record(
        session, file, source, variants, _data(imatrix), time.monotonic() - began
    )
    remarks = (*_last_bits(tensors), *_remarks(plan, file.checkpoint.metadata))
    return Against(file.label, source.label, answer, why, tensors, variants, remarks, recorded)


def _encodings(file: LocalModel, imatrix: Path | None) -> Encodings:
    types = {name: spec.dtype for name, spec in file.checkpoint.items()}
    shapes = {name: spec.shape for name, spec in file.checkpoint.items()}
    return encodings(types, shapes, None if imatrix is None else read_importance(imatrix))


def _tensor_faults(plan: StreamPlan, file: LocalModel) -> Iterator[str]:
    ours, theirs = {tensor.name: tensor.shape for tensor in plan.planned}, file.checkpoint
    for name in sorted(ours.keys() & theirs.keys()):
        if bare(theirs[name].shape) != bare(ours[name]):
            yield f"{quoted(name)} is {list(theirs[name].shape)}, the parent's gives {list(ours[name])}"
    yield from (f"it has no {quoted(name)}" for name in sorted(ours.keys() - theirs.keys()))
    yield from (f"{quoted(name)} comes from nothing there" for name in sorted(theirs.keys() - ours.keys()))


def _judged(
    variants: Sequence[Variant], tensors: Sequence[Rederived], metadata: Metadata, *, given: bool
) -> tuple[Answer, str]:
    if variants:
        return Answer.REPLAYED, in_words(variants)
    differing = [tensor for tensor in tensors if not tensor.agrees]
    fault = next(_against_the_parent(differing), None)
    if fault is not None:
        return Answer.DIFFERS, fault
    if given:
        return Answer.UNDECIDED, "with this importance matrix other blocks are made: another, or another compiler"
    return Answer.UNDECIDED, _what_may_be(differing, metadata)


def _against_the_parent(differing: Sequence[Rederived]) -> Iterator[str]:
    """What no build and no importance matrix explains."""
    for tensor in differing:
        if tensor.is_made and tensor.error > _NEAR * tensor.expected:
            yield f"{quoted(tensor.name)} is further from the parent's than quantizing takes it"
        elif tensor.dtype in UNWEIGHTED:
            yield f"{quoted(tensor.name)} is {tensor.dtype}, which depends on the weights alone"


def _what_may_be(differing: Sequence[Rederived], metadata: Metadata) -> str:
    if not differing:
        return "each tensor is equal under some build of llama.cpp, and no build gives them all"
    unknown = next((tensor for tensor in differing if not tensor.is_made), None)
    if unknown is not None:
        return f"{quoted(unknown.name)} is {unknown.dtype}, which nothing here encodes"
    named = metadata.get(_MATRIX_FILE)
    if named is not None:
        return f"an importance matrix that is not here, {quoted(str(named.content))}: --imatrix FILE"
    return "perhaps an importance matrix that is not here (--imatrix FILE), or another compiler"


def _record(
    session: Session,
    file: LocalModel,
    parent: LocalModel,
    variants: Sequence[Variant],
    data: tuple[DataFile, ...],
    took: float,
) -> bool:
    """Whether both are known here, so that the edge between them can be; steps that say the same are attested."""
    registry = session.registry
    child, source = session.identify(file).model_hash, session.identify(parent).model_hash
    if not (registry.knows(child) and registry.knows(source)):
        return False
    said = [step for step in registry.steps_of(child) if step.step.type == "quantize"]
    said = [step for step in said if [used.model_hash for used in step.step.inputs] == [source]]
    for standing in said:
        registry.raise_evidence(standing, Evidence.REPLAYED, 1.0)
    if not said:
        options = {"scheme": _main_type(file), "source": variants[0].source, "fused": variants[0].fused}
        inputs = (Input("parent", source),)
        step = Step(type="quantize", method=METHOD, inputs=inputs, options=options, data=data)
        _ = registry.record(StepRecord(step, child, Evidence.REPLAYED, environment(), took, time.time(), share=1.0))
    return True


def _data(imatrix: Path | None) -> tuple[DataFile, ...]:
    return () if imatrix is None else (DataFile(imatrix.name, hash_file(imatrix)),)


def _main_type(file: LocalModel) -> str:
    """The type that holds most weights."""
    counts: dict[str, int] = {}
    for spec in file.checkpoint.values():
        counts[spec.dtype] = counts.get(spec.dtype, 0) + spec.elements
    return max(counts, key=lambda dtype: counts[dtype]).lower()


def _last_bits(tensors: Sequence[Rederived]) -> Iterator[str]:
    for tensor in tensors:
        if tensor.last_bits:
            yield f"{quoted(tensor.name)} is worked out from the config, there with other last bits"


def _remarks(plan: StreamPlan, theirs: Metadata) -> Iterator[str]:
    """Keys that decide what the model computes or reads, and are not as its parent gives them."""
    child = plan.child
    assert isinstance(child, GgufChild)
    architecture = f"{child.metadata[ARCHITECTURE].content}."
    for key in sorted(child.metadata.keys() | theirs.keys()):
        if not key.startswith((architecture, "tokenizer.")):
            continue
        if key in child.metadata and key in theirs:
            if not _same(child.metadata[key], theirs[key]):
                yield f"{key} is not as the parent gives it{_both(child.metadata[key], theirs[key])}"
        elif key in theirs and key.startswith("tokenizer.chat_template"):
            yield f"{key}: the parent has none"


def _same(ours: Value, theirs: Value) -> bool:
    if isinstance(ours.content, float) and isinstance(theirs.content, int | float):
        return np.float32(ours.content) == np.float32(theirs.content)
    return ours.content == theirs.content


def _both(ours: Value, theirs: Value) -> str:
    if isinstance(ours.content, tuple) or isinstance(theirs.content, tuple):
        return ""
    return f": {quoted(str(theirs.content)[:40])}, the parent's {quoted(str(ours.content)[:40])}"
