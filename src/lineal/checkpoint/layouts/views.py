"""A model's tensors in its published layout: where each lies in what is stored, and in which order."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.known import Found, Layout, layouts_of
from lineal.checkpoint.layouts.rules import Joined, Moved, Renamed, Rule, Stacked, Turned
from lineal.checkpoint.layouts.table import REWRITTEN
from lineal.checkpoint.layouts.turn import Turn, paired, transposed
from lineal.errors import CheckpointError
from lineal.shown import quoted

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
"""Where a configuration says how many experts a layer has."""


@final
@dataclass(frozen=True)
class Facts:
    """What a config says, and whose it is."""

    config: Mapping[str, Any]
    label: str
    stored: Mapping[str, TensorSpec]

    def count(self, keys: Sequence[str]) -> int | None:
        """The first of these that it has, in it or in that of the language model inside."""
        inner = self.config.get("text_config")
        configs = (self.config, *([inner] if isinstance(inner, Mapping) else []))
        found = (one.get(key) for one in configs for key in keys)
        return next((value for value in found if type(value) is int), None)

    @property
    def experts(self) -> int | None:
        return self.count(EXPERTS)

    def refuse(self, name: str, shape: tuple[int, ...], wanted: str) -> CheckpointError:
        return CheckpointError(f"{self.label}: {quoted(name)} is {list(shape)}; {wanted}")


@final
@dataclass(frozen=True, slots=True)
class View:
    """A published tensor in what is stored.

    spec: its bytes, of the published name and shape; whole: the stored tensor that they are of; turn: from the order in
    which its elements are stored.
    """

    spec: TensorSpec
    whole: str
    turn: Turn | None = None


@final
@dataclass(frozen=True)
class Seen:
    """views: by published name, in the order of what is stored; layouts: those that it is stored in."""

    views: Mapping[str, View]
    layouts: tuple[Layout, ...]


def seen(stored: Mapping[str, TensorSpec], config: Mapping[str, Any], label: str) -> Seen | None:
    """A model as it is published; None where its architecture is not known. label: the model, for errors.

    What no rule is about stays as it is. Raises CheckpointError, which names the tensors, for a folder that holds both
    layouts of a tensor, one layout here and another there, and for what does not fit the config.
    """
    known = layouts_of(config)
    if known is None:
        return None
    found: dict[str, View] = {}
    here: dict[str, str] = {}
    facts = Facts(config, label, stored)
    known = _those_it_may_have(known, facts)
    for name, spec in stored.items():
        for view in _views(name, spec, known, here, facts):
            if view.spec.name in found:
                both = " and ".join(quoted(one) for one in (found[view.spec.name].whole, name))
                raise CheckpointError(f"{label}: holds {quoted(view.spec.name)} twice, in two layouts: {both}")
            found[view.spec.name] = view
    left = [name for name, view in found.items() if view.whole == name and view.turn is None]
    for layout in known:
        if layout.name in here:
            _require_all_of_it(layout, here[layout.name], left, label)
        else:
            _require_all_experts(layout, found, facts)
    return Seen(found, tuple(layout for layout in known if layout.name in here))


def _those_it_may_have(known: Sequence[Layout], facts: Facts) -> Sequence[Layout]:
    """The rewritten layout alone where a name is of that one: its starts of names are those of another, too."""
    if all(layout.name != REWRITTEN for layout in known):
        return known
    told = {layout.name: name for layout in known for name in facts.stored if layout.stored(name) is not None}
    if REWRITTEN in told and len(told) > 1:
        both = " and ".join(f"{quoted(name)} is {layout}" for layout, name in sorted(told.items()))
        raise CheckpointError(f"{facts.label}: is stored in two layouts: {both}")
    return [layout for layout in known if (layout.name == REWRITTEN) == (REWRITTEN in told)]


def _views(name: str, spec: TensorSpec, known: Sequence[Layout], here: dict[str, str], facts: Facts) -> Iterator[View]:
    made = [View(spec, name)]
    for layout in known:
        by, start = layout.stored(name), layout.start_of_stored(name)
        if by is not None and not _is_as_published(layout, by, spec, facts):
            here.setdefault(layout.name, name)
            made = list(_by_rule(by.rule, by.before, spec, facts))
        if start is not None:
            here.setdefault(layout.name, name)
            made = [_called(view, start.published + view.spec.name.removeprefix(start.stored)) for view in made]
    yield from made


def _called(view: View, name: str) -> View:
    return replace(view, spec=replace(view.spec, name=name))


def _by_rule(rule: Rule, before: str, spec: TensorSpec, facts: Facts) -> Iterator[View]:
    match rule:
        case Renamed() | Moved():
            yield View(replace(spec, name=before + rule.published), spec.name)
        case Turned():
            yield _turned(rule, before, spec, facts)
        case Stacked():
            yield from _unstacked(rule, before, spec, facts)
        case Joined():
            yield from _apart(rule, before, spec, facts)


def _is_as_published(layout: Layout, by: Found, spec: TensorSpec, facts: Facts) -> bool:
    """Whether a tensor whose name is the same in both layouts is in the published one: by its shape, or by that of
    another beside it, where it is square. Raises CheckpointError where neither tells."""
    rule = by.rule
    if not isinstance(rule, Turned) or rule.stored != rule.published:
        return False
    beside = (facts.stored.get(by.before + other.stored) for other in layout.rules if isinstance(other, Turned))
    told = (_by_shape(layout, one, facts) for one in (spec, *beside) if one is not None)
    found = next((one for one in told if one is not None), None)
    if found is None:
        raise facts.refuse(spec.name, spec.shape, "neither its shape nor another tensor's tells its layout")
    return found


def _by_shape(layout: Layout, spec: TensorSpec, facts: Facts) -> bool | None:
    """Whether its shape is the published one; None where it would be the same in both layouts."""
    by = layout.stored(spec.name)
    columns = facts.count(by.rule.columns) if by is not None and isinstance(by.rule, Turned) else None
    if columns is None or len(spec.shape) != 3 or columns not in spec.shape[1:]:
        wanted = "its config does not say how many columns it has" if columns is None else f"it has {columns} columns"
        raise facts.refuse(spec.name, spec.shape, f"a matrix of each expert is needed; {wanted} by its config")
    return None if spec.shape[1] == spec.shape[2] else spec.shape[2] != columns


def _turned(rule: Turned, before: str, spec: TensorSpec, facts: Facts) -> View:
    if len(spec.shape) != 3 or (rule.order == "paired" and spec.shape[1] % 2):
        raise facts.refuse(spec.name, spec.shape, "a matrix of each expert is needed")
    experts, rows, columns = spec.shape
    turn = transposed(rows, columns) if rule.order == "transposed" else paired(rows // 2, columns)
    shape = (experts, columns, rows) if rule.order == "transposed" else spec.shape
    return View(replace(spec, name=before + rule.published, shape=shape), spec.name, turn)


def _unstacked(rule: Stacked, before: str, spec: TensorSpec, facts: Facts) -> Iterator[View]:
    experts, kinds = facts.experts, len(rule.published)
    if experts is None or len(spec.shape) != 3 or spec.shape[0] != experts or spec.shape[1] % kinds:
        wanted = f"by its config it stacks {experts} experts of {kinds} matrices"
        unsaid = "its config does not say how many experts it stacks"
        raise facts.refuse(spec.name, spec.shape, unsaid if experts is None else wanted)
    shape = (spec.shape[1] // kinds, spec.shape[2])
    length = spec.byte_length // (experts * kinds) if math.prod(spec.shape) else 0
    for expert in range(experts):
        for place, name in enumerate(rule.published):
            offset = spec.offset + (expert * kinds + place) * length
            published = before + name.replace("*", str(expert))
            yield View(TensorSpec(published, spec.dtype, shape, spec.path, offset, length), spec.name)


def _apart(rule: Joined, before: str, spec: TensorSpec, facts: Facts) -> Iterator[View]:
    heights = joined_heights(rule, spec.shape, facts.config)
    if heights is None:
        raise facts.refuse(
            spec.name, spec.shape, f"by its config it joins {len(rule.published)} tensors of other heights"
        )
    row = spec.byte_length // spec.shape[0] if spec.shape[0] else 0
    offset = spec.offset
    for name, height in zip(rule.published, heights, strict=True):
        shape = (height, *spec.shape[1:])
        yield View(TensorSpec(before + name, spec.dtype, shape, spec.path, offset, height * row), spec.name)
        offset += height * row


def joined_heights(rule: Joined, shape: tuple[int, ...], config: Mapping[str, Any]) -> Sequence[int] | None:
    """The rows of each tensor in what is stored with this shape; None where they do not fit."""
    facts = Facts(config, "", {})
    if not shape:
        return None
    if not rule.heights:
        return None if shape[0] % len(rule.published) else (shape[0] // len(rule.published),) * len(rule.published)
    heights = [math.prod(facts.count((key,)) or 0 for key in keys) for keys in rule.heights]
    return heights if sum(heights) == shape[0] else None


def _require_all_of_it(layout: Layout, converted: str, left: Sequence[str], label: str) -> None:
    """Refuse a model of which other tensors are as published where this layout has them otherwise."""
    for name in left:
        if layout.start_of_published(name) is not None or layout.published(name) is not None:
            raise CheckpointError(
                f"{label}: is stored in two layouts: {quoted(converted)} is {layout.name}, "
                f"{quoted(name)} as it is published"
            )


def _require_all_experts(layout: Layout, published: Iterable[str], facts: Facts) -> None:
    """Refuse a model that lacks some of the experts that this layout, which it is not stored in, would stack."""
    experts = facts.experts
    there: dict[tuple[str, str], set[tuple[int, int]]] = {}
    rules: dict[str, Stacked] = {}
    for name in published if experts is not None else ():
        by = layout.published(name)
        if by is not None and isinstance(by.rule, Stacked):
            rules[by.rule.stored] = by.rule
            there.setdefault((by.before, by.rule.stored), set()).add((by.expert, by.place))
    for (before, stored), found in there.items():
        missing = rules[stored].missing(experts or 0, found)
        if missing is not None:
            raise CheckpointError(f"{facts.label}: {quoted(before + missing)} is missing of {experts} experts")
