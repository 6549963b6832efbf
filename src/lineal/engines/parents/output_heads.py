"""Models of which some have an output head of their own and others tie it: where they meet, each has one."""

from collections.abc import Sequence
from dataclasses import replace

from lineal.checkpoint.names.tied_heads import embeddings, heads
from lineal.engines.parents.model import Model


def with_heads(inputs: Sequence[Model]) -> list[Model]:
    """The models; where one has a head, a tied one gets its embedding for a head, stored once more."""
    own = next((model for model in inputs if heads(model.sources)), None)
    return [*inputs] if own is None else [_with_head(model, own) for model in inputs]


def _with_head(model: Model, own: Model) -> Model:
    """A model that is not tied lacks what it lacks; one with several embeddings does not say which is its head."""
    theirs = embeddings(model.sources)
    if heads(model.sources) or not model.tied or len(theirs) != 1:
        return model
    (name,) = heads(own.sources)[:1]
    remark = f"{model.name} ties its output head to the embedding; {own.name} does not, and so the child has both"
    return replace(model, sources={**model.sources, name: model.sources[theirs[0]]}, remarks=(*model.remarks, remark))
