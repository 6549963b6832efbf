"""What is known of an architecture's layouts: for a tensor's name the rule that it stands under, either way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from typing import Any, final

from lineal.checkpoint.layouts.published_alone import PUBLISHED_ALONE
from lineal.checkpoint.layouts.rules import Joined, Moved, Renamed, Rule, Stacked, Turned
from lineal.checkpoint.layouts.table import LAYOUTS

_KEPT = 4096
"""Names whose rules are kept, numbers aside: a model has tens, a file that is made to hurt has no end of them."""


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
class _End:
    """What names that a rule is about end with. place: among the rule's published names."""

    rule: Rule
    name: str
    place: int = 0

    @cached_property
    def words(self) -> int:
        return self.name.count(".") + 1

    @cached_property
    def star(self) -> int:
        """Which word is an expert's number, counted from the last, which is -1; 0: none is."""
        words = self.name.split(".")
        return words.index("*") - len(words) if "*" in words else 0


@final
@dataclass(frozen=True)
class Layout:
    """A layout that an architecture is met in, other than the published one."""

    name: str
    rules: tuple[Rule, ...]

    def stored(self, name: str) -> Found | None:
        """The rule that a stored name is made public by, but for how it begins."""
        hit = self._end_of_stored(_starred(name))
        return None if hit is None else Found(hit.rule, _before(name.rsplit(".", hit.words), hit))

    def published(self, name: str) -> Found | None:
        """The rule that a published name is stored by, but for how it begins."""
        hit = self._end_of_published(_starred(name))
        if hit is None:
            return None
        parts = name.rsplit(".", hit.words)
        return Found(hit.rule, _before(parts, hit), hit.place, int(parts[hit.star]) if hit.star else 0)

    def start_of_stored(self, name: str) -> Moved | None:
        """The rule about how a stored name begins: of several the one that says most."""
        return next((rule for rule in self._by_stored_start if name.startswith(rule.stored)), None)

    def start_of_published(self, name: str) -> Moved | None:
        """The rule about how a published name begins: of several the one that says most."""
        return next((rule for rule in self._by_published_start if name.startswith(rule.published)), None)

    @cached_property
    def _by_stored_start(self) -> Sequence[Moved]:
        starts = (rule for rule in self.rules if isinstance(rule, Moved))
        return sorted(starts, key=lambda rule: len(rule.stored), reverse=True)

    @cached_property
    def _by_published_start(self) -> Sequence[Moved]:
        return sorted(self._by_stored_start, key=lambda rule: len(rule.published), reverse=True)

    @cached_property
    def _end_of_stored(self) -> Callable[[str], _End | None]:
        ends = {rule.stored: _End(rule, rule.stored) for rule in self.rules if not isinstance(rule, Moved)}
        return lru_cache(_KEPT)(partial(_longest, ends))

    @cached_property
    def _end_of_published(self) -> Callable[[str], _End | None]:
        ends: dict[str, _End] = {}
        for rule in self.rules:
            if isinstance(rule, Renamed | Turned):
                ends[rule.published] = _End(rule, rule.published)
            elif isinstance(rule, Stacked | Joined):
                ends.update({name: _End(rule, name, place) for place, name in enumerate(rule.published)})
        return lru_cache(_KEPT)(partial(_longest, ends))


def layouts_of(config: Mapping[str, Any]) -> Sequence[Layout] | None:
    """The other layouts that a model with this config is met in; None where its architecture is not known."""
    return _layouts(str(config.get("model_type")))


@cache
def _layouts(model_type: str) -> Sequence[Layout] | None:
    if model_type in PUBLISHED_ALONE:
        return ()
    known = LAYOUTS.get(model_type)
    return None if known is None else tuple(Layout(name, tuple(rules)) for name, rules in known.items())


def _starred(name: str) -> str:
    """A name with stars for its numbers, which all layers and experts share."""
    return ".".join(["*" if word.isdecimal() and _is_plain(word) else word for word in name.split(".")])


def _is_plain(digits: str) -> bool:
    """Whether a number is written as Python writes it, so that no two names are of one expert."""
    return len(digits) < 10 and digits == str(int(digits))


def _longest(ends: Mapping[str, _End], starred: str) -> _End | None:
    """Of what a name may end with, whole words of it, the longest."""
    words = starred.split(".")
    return next((ends[end] for start in range(len(words)) if (end := ".".join(words[start:])) in ends), None)


def _before(parts: Sequence[str], end: _End) -> str:
    """What stands before an end, of a name that is split into its words and the rest."""
    return f"{parts[0]}." if len(parts) > end.words else ""
