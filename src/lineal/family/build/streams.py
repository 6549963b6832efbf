"""Streamed derivations in terms of models that lie here: the engine's plan of each, and the child written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.parents.model import Model, full_model
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.stream.notes import measured_in
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.weights import full_weights
from lineal.family.session import Inputs, Session
from lineal.lineage.records.rounding import Rounding
from lineal.methods.method import Method


class Written(NamedTuple):
    """The child's tensors, the data hashes of what was read, and what rounding cost those tensors that are measured."""

    leaves: Mapping[str, Leaf]
    read: DataHashes
    rounding: Mapping[str, Rounding]


def write_stream(
    session: Session, plan: StreamPlan, folder: Path, key: str, title: str, *, allow_nonfinite: bool
) -> Written:
    """Write the planned child; what a killed run with the same key finished stays."""
    with (
        CheckpointWriter(folder, plan.child.lay_out(plan.planned), key) as writer,
        session.progress.task(title, plan.bytes_read, "bytes") as advance,
    ):
        read = stream(plan.jobs, writer, threads=session.threads, allow_nonfinite=allow_nonfinite, bytes_done=advance)
        writer.seal()
        plan.child.write_package(folder)
        return Written(dict(writer.leaves), read, measured_in(writer.notes))


def weights_of(inputs: Inputs) -> tuple[Model | None, Sequence[Model]]:
    """The base, and the others as full weights."""
    base = next((full_model(local.label, local.checkpoint) for role, local in inputs if role == "base"), None)
    return base, [full_weights(local, base) for role, local in inputs if role != "base"]


def only_model(method: Method, inputs: Inputs) -> Model:
    _, models = weights_of(inputs)
    method.check_models(len(models))
    return models[0]
