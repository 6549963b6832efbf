"""Models in several layouts: where the first is stored as its architecture is published, all are seen so."""

from collections.abc import Sequence
from dataclasses import replace

from lineal.checkpoint.layouts.published import published, rule_of, rules_for
from lineal.checkpoint.layouts.rules import Rule
from lineal.engines.parents.model import Model
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.shown import quoted


def in_layout_of_the_first(inputs: Sequence[Model]) -> list[Model]:
    """The models; those in another layout as byte ranges of what they store, if the first is in the published one.

    Models that are all in the other layout stay as they are. Raises CheckpointError where the first is in it and
    another is not, since a child in that layout is only made of models that are; and for a folder that holds a tensor
    in both. Models of another architecture than the first are left for the merge to refuse.
    """
    first, rules = inputs[0].config, rules_for(inputs[0].config)
    if not rules:
        return [*inputs]
    alike = [model for model in inputs if model.config.get("model_type") == first.get("model_type")]
    elsewhere = {id(model): _published(model, rules) for model in alike if _in_other_layout(model, rules)}
    published_one = next((model for model in alike if id(model) not in elsewhere), None)
    if published_one is None:
        return [*inputs]
    if id(inputs[0]) in elsewhere:
        raise CheckpointError(
            f"{inputs[0].name} is stored in another layout than {published_one.name}, such as its experts in one "
            f"tensor, and the child takes the layout of the first: name {published_one.name} before it"
        )
    for model in alike:
        if id(model) in elsewhere:
            _require_as_stored(model, rules)
    return [elsewhere.get(id(model), model) for model in inputs]


def _in_other_layout(model: Model, rules: Sequence[Rule]) -> bool:
    return any(rule_of(rules, name) for name in model.sources)


def _require_as_stored(model: Model, rules: Sequence[Rule]) -> None:
    for name, source in model.sources.items():
        if rule_of(rules, name) and (source.update is not None or source.scales is not None):
            raise CheckpointError(f"{model.name}: {quoted(name)} is adapted or scaled; the first is in another layout")


def _published(model: Model, rules: Sequence[Rule]) -> Model:
    specs = {name: source.spec for name, source in model.sources.items()}
    found = published(specs, model.config, rules, model.name)
    sources = {name: model.sources.get(name) or Source(model.name, spec) for name, spec in found.items()}
    remark = f"{model.name} is stored in another layout, and is read as it is published"
    return replace(model, sources=sources, remarks=(*model.remarks, remark))
