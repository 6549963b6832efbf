"""A model's tensors in its published layout: where their bytes lie in what is stored."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.rules import Rule, Stacked
from lineal.checkpoint.layouts.table import EXPERTS, RULES
from lineal.errors import CheckpointError
from lineal.shown import quoted


def rules_for(config: Mapping[str, Any]) -> Sequence[Rule]:
    """The rules of an architecture's other layout; none where it is known in one alone, or not at all."""
    return RULES.get(str(config.get("model_type")), ())


def rule_of(rules: Sequence[Rule], name: str) -> tuple[Rule, str] | None:
    """The rule that makes published tensors of what is stored under a name, and what stands before that."""
    for rule in rules:
        before = name.removesuffix(rule.stored)
        if before != name and (not before or before.endswith(".")):
            return rule, before
    return None


def published(
    stored: Mapping[str, TensorSpec], config: Mapping[str, Any], rules: Sequence[Rule], label: str
) -> dict[str, TensorSpec]:
    """Published names and where each lies; what no rule is about stays. label: the model, for errors.

    Raises CheckpointError for a folder that holds both layouts of a tensor, and for stacks that do not fit the config.
    """
    found: dict[str, TensorSpec] = {}
    origin: dict[str, str] = {}
    for name, spec in stored.items():
        for made in _made_of(name, spec, config, rules, label):
            if made.name in found:
                both = " and ".join(quoted(one) for one in (origin[made.name], name))
                raise CheckpointError(f"{label}: holds {quoted(made.name)} twice, in two layouts: {both}")
            found[made.name], origin[made.name] = made, name
    return found


def _made_of(
    name: str, spec: TensorSpec, config: Mapping[str, Any], rules: Sequence[Rule], label: str
) -> Iterator[TensorSpec]:
    by = rule_of(rules, name)
    if by is None:
        yield spec
        return
    rule, before = by
    if not isinstance(rule, Stacked):
        yield TensorSpec(before + rule.published, spec.dtype, spec.shape, spec.path, spec.offset, spec.byte_length)
        return
    experts = next((config[key] for key in EXPERTS if isinstance(config.get(key), int)), None)
    kinds = len(rule.published)
    if len(spec.shape) != 3 or spec.shape[0] != experts or spec.shape[1] % kinds:
        wanted = f"by its config it stacks {experts} experts of {kinds} matrices"
        if experts is None:
            wanted = "its config does not say how many experts it stacks"
        raise CheckpointError(f"{label}: {quoted(name)} is {list(spec.shape)}; {wanted}")
    shape = (spec.shape[1] // kinds, spec.shape[2])
    length = spec.byte_length // (spec.shape[0] * kinds) if math.prod(spec.shape) else 0
    for expert, place, published_name in rule.names(spec.shape[0]):
        offset = spec.offset + (expert * kinds + place) * length
        yield TensorSpec(before + published_name, spec.dtype, shape, spec.path, offset, length)
