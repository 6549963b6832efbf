"""Models in several layouts: where the first is stored as its architecture is published, all are seen so."""

from collections.abc import Sequence
from dataclasses import replace

from lineal.checkpoint.layouts.published import published, rule_of, rules_for
from lineal.engines.parents.model import Model
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.shown import quoted


def in_layout_of_the_first(inputs: Sequence[Model]) -> list[Model]:
    """The models; those in another layout as byte ranges of what they store, if the first is in the published one.

    Models that are all in the other layout stay as they are. Raises CheckpointError where the first is in it and
    another is not: a child in that layout is only made of models that are.
    """
    elsewhere = [_in_other_layout(model) for model in inputs]
    if not any(elsewhere) or all(elsewhere):
        return [*inputs]
    if elsewhere[0]:
        published_one = inputs[elsewhere.index(False)]
        raise CheckpointError(
            f"{inputs[0].name} is stored in another layout than {published_one.name}, such as its experts in one "
            f"tensor, and the child takes the layout of the first: name {published_one.name} before it"
        )
    return [_published(model) if other else model for model, other in zip(inputs, elsewhere, strict=True)]


def _in_other_layout(model: Model) -> bool:
    rules = rules_for(model.config)
    return any(rule_of(rules, name) for name in model.sources)


def _published(model: Model) -> Model:
    rules = rules_for(model.config)
    for name, source in model.sources.items():
        if rule_of(rules, name) and (source.update is not None or source.scales is not None):
            raise CheckpointError(f"{model.name}: {quoted(name)} is adapted or scaled; the first is in another layout")
    specs = {name: source.spec for name, source in model.sources.items()}
    found = published(specs, model.config, rules, model.name)
    sources = {name: model.sources.get(name) or Source(model.name, spec) for name, spec in found.items()}
    remark = f"{model.name} is stored in another layout, and is read as it is published"
    return replace(model, sources=sources, remarks=(*model.remarks, remark))
