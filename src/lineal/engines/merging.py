"""A merge before a weight is read: every incompatibility of its parents at once, else one job a tensor."""

from collections.abc import Iterator, Mapping, Sequence

from lineal.checkpoint.dtypes import FLOATS
from lineal.checkpoint.layout import Planned
from lineal.checkpoint.package import vocabulary
from lineal.engines.jobs import Job
from lineal.engines.sources import Model
from lineal.engines.stream_plan import OrdinaryFolder, StreamPlan
from lineal.errors import CheckpointError
from lineal.methods.streaming import StreamingMethod

_SHOWN = 12


def plan_merge(method: StreamingMethod, models: Sequence[Model], base: Model | None = None) -> StreamPlan:
    """Check all parents against each other from their headers; the donor is the base, else the first parent."""
    method.check(len(models), base is not None)
    donor = models[0] if base is None else base
    everyone = models if base is None else [base, *models]
    faults = list(_faults(donor, everyone))
    if faults:
        shown = [*faults[:_SHOWN], *([f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else [])]
        raise CheckpointError(f"{method.name}: these models cannot be merged: " + "; ".join(shown))
    jobs = tuple(_job(method, name, donor, models, base) for name in donor)
    return StreamPlan(jobs, OrdinaryFolder(donor.folder))


def _job(method: StreamingMethod, name: str, donor: Model, models: Sequence[Model], base: Model | None) -> Job:
    spec = donor[name].spec
    sources = tuple(model[name] for model in models)
    origin = None if base is None else base[name]
    planned = Planned(name, spec.dtype, spec.shape)
    if spec.dtype not in FLOATS:
        return Job(planned, (origin, *sources) if origin else sources)
    return Job(planned, sources, origin, method)


def _faults(donor: Model, everyone: Sequence[Model]) -> Iterator[str]:
    for model in everyone:
        if model is donor or model.checkpoint is donor.checkpoint:
            continue
        yield from _tensor_faults(donor, model)
        if model.tied != donor.tied:
            yield f"{model.name} {_ties(model)} its output head to the embedding, {donor.name} {_ties(donor)}"
        yield from _vocabulary_faults(donor, model)


def _ties(model: Model) -> str:
    return "ties" if model.tied else "does not tie"


def _tensor_faults(donor: Model, model: Model) -> Iterator[str]:
    for name in sorted(donor.keys() - model.keys()):
        yield f"{model.name} has no {name!r}"
    for name in sorted(model.keys() - donor.keys()):
        yield f"{donor.name} has no {name!r}, {model.name} has"
    for name in donor:
        if name not in model:
            continue
        ours, theirs = donor[name].spec, model[name].spec
        if ours.shape != theirs.shape:
            yield f"{name!r} is {list(ours.shape)} in {donor.name}, {list(theirs.shape)} in {model.name}"
        elif ours.dtype != theirs.dtype and not {ours.dtype, theirs.dtype} <= FLOATS:
            yield f"{name!r} is {ours.dtype} in {donor.name}, {theirs.dtype} in {model.name}"


def _vocabulary_faults(donor: Model, model: Model) -> Iterator[str]:
    """A model without a tokenizer makes no statement about what its ids mean."""
    ours, theirs = vocabulary(donor.folder), vocabulary(model.folder)
    if ours is None or theirs is None or ours == theirs:
        return
    token = min(t for t in ours.keys() | theirs.keys() if ours.get(t) != theirs.get(t))
    place = f"{token!r} is id {_id(ours, token)} in {donor.name}, {_id(theirs, token)} in {model.name}"
    yield f"the vocabularies differ ({len(ours)} and {len(theirs)} tokens): {place}"


def _id(table: Mapping[str, int], token: str) -> str:
    return str(table.get(token, "absent"))
