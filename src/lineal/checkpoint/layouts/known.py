"""What is known of an architecture's layouts: for a tensor's name the rule that it stands under, either way."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, final

from lineal.checkpoint.layouts.rules import Joined, Moved, Renamed, Rule, Stacked, Turned
from lineal.checkpoint.layouts.table import LAYOUTS, PUBLISHED_ALONE

_NUMBER = re.compile(r"(?<=\.)\d{1,9}(?=\.)")


@final
@dataclass(frozen=True)
class Found:
    """A name that a rule is about. before: what stands before its own words; place: among the rule's published names;
    expert: of a published name that has a star."""

    rule: Rule
    before: str
    place: int = 0
    expert: int = 0


@final
@dataclass(frozen=True)
class Layout:
    """A layout that an architecture is met in, other than the published one."""

    name: str
    rules: tuple[Rule, ...]

    @cached_property
    def starts(self) -> Sequence[Moved]:
        """The rules about how names begin."""
        return tuple(rule for rule in self.rules if isinstance(rule, Moved))

    def stored(self, name: str) -> Found | None:
        """The rule that a stored name is made public by, but for how it begins."""
        for before, end in _endings(name):
            if end in self._by_stored:
                return Found(self._by_stored[end], before)
        return None

    def published(self, name: str) -> Found | None:
        """The rule that a published name is stored by, but for how it begins."""
        for before, end in _endings(name):
            hit = self._by_published.get(_NUMBER.sub("*", f".{end}")[1:])
            if hit is not None:
                rule, place = hit
                numbers = _NUMBER.findall(f".{end}")
                return Found(rule, before, place, int(numbers[-1]) if numbers else 0)
        return None

    @cached_property
    def _by_stored(self) -> Mapping[str, Rule]:
        return {rule.stored: rule for rule in self.rules if not isinstance(rule, Moved)}

    @cached_property
    def _by_published(self) -> Mapping[str, tuple[Rule, int]]:
        found: dict[str, tuple[Rule, int]] = {}
        for rule in self.rules:
            if isinstance(rule, Renamed | Turned):
                found[rule.published] = rule, 0
            elif isinstance(rule, Stacked | Joined):
                found.update({name: (rule, place) for place, name in enumerate(rule.published)})
        return found


def layouts_of(config: Mapping[str, Any]) -> Sequence[Layout] | None:
    """The other layouts that a model with this config is met in; None where its architecture is not known."""
    return _layouts(str(config.get("model_type")))


@cache
def _layouts(model_type: str) -> Sequence[Layout] | None:
    if model_type in PUBLISHED_ALONE:
        return ()
    known = LAYOUTS.get(model_type)
    return None if known is None else tuple(Layout(name, tuple(rules)) for name, rules in known.items())


def _endings(name: str) -> list[tuple[str, str]]:
    """What a name may end with, whole words of it, the longest first, and what then stands before that."""
    dots = [index + 1 for index, letter in enumerate(name) if letter == "."]
    return [("", name), *((name[:dot], name[dot:]) for dot in dots)]
