"""Heads that predict more than the next token, beside a model: what writes models again often leaves them out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.names.prediction_head import prediction_head
from lineal.checkpoint.written.layout import Planned
from lineal.engines.parents.model import Model
from lineal.engines.stream.jobs import Job
from lineal.methods.merge.passthrough import Passthrough


@final
@dataclass(frozen=True)
class Parted:
    """models: without prediction heads that cannot be merged; jobs: for the child's head, handed on as it is."""

    models: tuple[Model, ...]
    jobs: tuple[Job, ...] = ()
    remarks: tuple[str, ...] = ()


def prediction_heads_apart(inputs: Sequence[Model], *, moved: bool) -> Parted:
    """Where all have the same prediction head it is merged like the rest; else the first's is the child's, as it is.

    moved: blocks are put together anew, which a head is not one of: it does not go into the child.
    """
    names = [prediction_head(model.sources, model.config) for model in inputs]
    if not any(names) or (not moved and all(found == names[0] for found in names)):
        return Parted(tuple(inputs))
    bare = tuple(
        replace(model, sources={name: source for name, source in model.sources.items() if name not in found})
        for model, found in zip(inputs, names, strict=True)
    )
    if moved or not names[0]:
        with_one = dict.fromkeys(model.name for model, found in zip(inputs, names, strict=True) if found)
        why = "blocks are put together anew" if moved else f"{inputs[0].name} has none"
        return Parted(bare, remarks=tuple(f"the prediction head of {one} is left out: {why}" for one in with_one))
    first, others = inputs[0], (model.name for model, found in zip(inputs, names, strict=True) if found != names[0])
    said = f"the prediction head is that of {first.name} as it is: {next(others)} has not the same"
    return Parted(bare, tuple(_handed_on(first, name) for name in first if name in names[0]), (said,))


def _handed_on(model: Model, name: str) -> Job:
    source = model.sources[name]
    planned = Planned(name, source.dtype, source.shape)
    return Job(planned, (source,), method=Passthrough() if source.dtype in FLOATS else None)
