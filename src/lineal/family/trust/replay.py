"""Recomputing a recorded step from its inputs, without writing anything."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import SystemRandom

from lineal.checkpoint.content.hashing import find_file, hash_checkpoint
from lineal.checkpoint.content.identity import Manifest, manifest_of
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import DataFile, Role, Step
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.stream.jobs import Recomputation
from lineal.errors import CheckpointError, LinealError, MethodError
from lineal.family.build.makers.table import plan_stream
from lineal.family.session import LocalModel, Session
from lineal.lineage.records.environment import method_package
from lineal.lineage.records.records import StepRecord
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method, Reproducibility
from lineal.shown import quoted


def method_of(step: Step) -> Method:
    """The method with the options that the step records; another version of it is refused."""
    return find_method(step.type, step.method, step.version).from_options(step.options)


def reproducibility_of(step: Step) -> Reproducibility:
    return find_method(step.type, step.method).reproducibility


def why_not(record: StepRecord, error: LinealError) -> str:
    """Why a step cannot be computed here; where its method is another package's, which one that is."""
    package = method_package(record.environment)
    if package is None or not isinstance(error, MethodError):
        return str(error)
    try:
        here = f"of which {version(package.name)} is installed"
    except (PackageNotFoundError, ValueError):  # the latter of a name that can be none
        here = "which is not installed"
    return f"its method is from the package {package.name} {package.version}, {here}: {error}"


def replay(
    session: Session, step: Step, label: str, share: float = 1.0, *, at_hand: Sequence[LocalModel] = ()
) -> Manifest:
    """The child's manifest as recomputed from the step's inputs, which are hashed in the same pass.

    share: of the tensors, drawn anew each time; fewer are read then, and the manifest has leaves for those alone.
    at_hand: inputs, hashed, that the registry need not know.
    """
    method = method_of(step)
    here = {local.model_hash: local for local in at_hand}
    inputs: list[tuple[Role, LocalModel]] = [
        (used.role, here.get(used.model_hash) or session.by_hash(used.model_hash)) for used in step.inputs
    ]
    plan = plan_stream(
        method, inputs, [_data_file(session, file) for file in step.data] if not method.uses_data else ()
    )
    if plan is None:
        raise MethodError(f"{step.method}: is not computed in the streaming engine")
    if plan.rules != step.rules:
        raise MethodError(f"it was made under rules {step.rules}, and this lineal would make it under {plan.rules}")
    if share < 1:
        count = max(1, round(share * len(plan.jobs)))
        plan = replace(plan, jobs=tuple(SystemRandom().sample(plan.jobs, count)))
    result = Recomputation()
    with session.progress.task(f"recomputing {label}", plan.bytes_read, "bytes") as advance:
        # Inf and NaN are let through: whether the child may hold them was decided when it was made
        read = stream(plan.jobs, result, threads=session.threads, allow_nonfinite=True, bytes_done=advance)
    for _, local in inputs:
        _check_input(local, read)
    return manifest_of(result.leaves.values(), plan.child.package())


def refuse_changed_stacks(session: Session, step: Step) -> None:
    """Raise CheckpointError where a GGUF is another by now: of tensors that hold experts only parts were hashed.

    To be asked where a replay gives something else: it reads what the replay has read once more.
    """
    for used in step.inputs:
        local = session.by_hash(used.model_hash)
        if local.form == "gguf" and any(len(spec.shape) > 2 for spec in local.checkpoint.values()):
            leaves = hash_checkpoint(local.checkpoint, threads=session.threads).manifest.leaves
            read = {leaf.name: leaf.data_hash for leaf in leaves}
            _check_input(local, {str(local.checkpoint[name].path): read for name in read})


def _data_file(session: Session, file: DataFile) -> Path:
    """The file that the step was made with, wherever it lies by now."""
    found = find_file(file.name, file.data_hash, session.memory)
    if found is None:
        told = f"{file.name} ({format_hash(file.data_hash)[:11]})"
        raise CheckpointError(f"{told}, which it was made with, is not known to lie here; verify where it does")
    return found


def _check_input(local: LocalModel, read: DataHashes) -> None:
    """A recomputation from other inputs than the recorded ones would prove nothing."""
    hashes = local.hashes
    assert hashes is not None  # inputs are found by their hash
    for path in dict.fromkeys(spec.path for spec in local.checkpoint.values()):
        changed = hashes.differing(read.get(str(path), {}))
        if changed is not None:
            raise CheckpointError(
                f"{local.label} ({format_hash(local.model_hash)[:11]}): {quoted(changed)} has changed"
            )
