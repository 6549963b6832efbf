"""Heads that predict more than the next token, beside a model: what writes models again often leaves them out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.checkpoint.written.layout import Planned
from lineal.engines.parents.model import Model
from lineal.engines.stream.jobs import Job
from lineal.methods.merge.passthrough import Passthrough

_NAMED = re.compile(r"(?:.+\.)?mtp\..+")
_BLOCKS, _COUNTS = "num_hidden_layers", ("num_nextn_predict_layers", "num_mtp_layers")


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
    names = [prediction_head(model) for model in inputs]
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


def prediction_head(model: Model) -> frozenset[str]:
    """Its tensors: named so (`mtp.`), or in blocks behind the last one, where the config counts such heads."""
    blocks = model.config.get(_BLOCKS)
    counted = any(type(count := model.config.get(key)) is int and count > 0 for key in _COUNTS)
    return frozenset(
        name
        for name in model.sources
        if _NAMED.fullmatch(name)
        or (counted and type(blocks) is int and (found := BLOCK.fullmatch(name)) and int(found["number"]) >= blocks)
    )


def _handed_on(model: Model, name: str) -> Job:
    source = model.sources[name]
    planned = Planned(name, source.dtype, source.shape)
    return Job(planned, (source,), method=Passthrough() if source.dtype in FLOATS else None)
