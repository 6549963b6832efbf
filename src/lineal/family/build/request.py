"""What is to be built: a method with what it needs, the step that it will be, and what unfinished work is found by."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from blake3 import blake3

from lineal.checkpoint.content.hashing import hash_file
from lineal.checkpoint.package import content_hash, package_paths
from lineal.derivation.canonical import Json, canonical_json
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import DataFile, Input, Kind, Role, Step
from lineal.engines.stream.plan import StreamPlan
from lineal.family.file.recipe import Origin
from lineal.family.session import Inputs, LocalModel, Session
from lineal.lineage.records.licences import UNKNOWN
from lineal.lineage.records.records import Name
from lineal.methods.method import Method

_TRAINED: tuple[Kind, ...] = ("original", "fine-tune", "distillation")


@final
@dataclass(frozen=True)
class Request:
    """A derivation with all it needs: inputs in the step's order, hub origins by input label; licence: of them all.

    plan: of a streamed derivation, before a greedy soup is picked; rules: that the step is made under.
    """

    name: Name
    method: Method
    inputs: Inputs
    target: Path
    data: tuple[Path, ...]
    hub_origins: Mapping[str, Origin]
    allow_nonfinite: bool = False
    rules: int = 1
    licence: str = UNKNOWN
    plan: StreamPlan | None = None


def rules_of(method: Method, inputs: Inputs, data: Sequence[Path] = ()) -> int:
    """The rules for a training: higher ones only where a case applies that earlier lineals did in another way.

    A child made under lower rules is then another derivation: neither taken for this one nor held against it.
    """
    if method.kind not in _TRAINED:
        return 1
    from lineal.family.build.training_rules import training_rules  # loaded only where something is trained

    return training_rules(method, inputs, data)


def identified(session: Session, request: Request) -> Request:
    """The request with the hash of every input."""
    return replace(request, inputs=tuple((role, session.identify(local)) for role, local in request.inputs))


def step_of(session: Session, request: Request) -> Step | None:
    """The step this request would be recorded as; None while an input's hash is unknown."""
    inputs: list[tuple[Role, LocalModel]] = [(role, session.recall(local)) for role, local in request.inputs]
    if any(local.hashes is None for _, local in inputs):
        return None
    return Step(
        type=request.method.kind,
        method=request.method.name,
        version=request.method.version,
        rules=request.rules,
        inputs=tuple(Input(role, local.model_hash) for role, local in inputs),
        options=request.method.options(),
        data=tuple(DataFile(path.name, hash_file(path, session.memory)) for path in request.data),
    )


def work_key(session: Session, request: Request) -> bytes:
    """What makes two half-built folders the same work: the step, or where hashes are unknown the files' state."""
    step = step_of(session, request)
    return step.derivation_id if step is not None else key_of_files(session, request)


def key_of_files(session: Session, request: Request) -> bytes:
    """What makes two half-built folders the same work while the inputs have no hashes: the state of their files."""
    states: list[Json] = [
        [role, str(path), stat.st_size, str(stat.st_mtime_ns), stat.st_ino]
        for role, local in request.inputs
        for path in weight_paths(local)
        for stat in (os.stat(path),)
    ]
    packages: list[Json] = [
        [role, path, format_hash(content_hash(local.folder, path))]
        for role, local in request.inputs
        if not local.checkpoint.lone
        for path in package_paths(local.folder)
    ]
    texts: list[Json] = [format_hash(hash_file(path, session.memory)) for path in request.data]
    made = [request.method.name, request.method.version, request.rules, request.method.options()]
    return blake3(canonical_json([*made, states, packages, texts])).digest()


def weight_paths(local: LocalModel) -> list[Path]:
    return [local.folder / name for name in local.checkpoint.weight_files]
