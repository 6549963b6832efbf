"""A YAML text as nodes, by libyaml where PyYAML was built with it: ten times as fast as PyYAML's own parser."""

from typing import Any

import yaml
from yaml.nodes import Node

_FAST: Any = getattr(yaml, "CSafeLoader", None)


class TooDeep(Exception):
    """Nested deeper than asked for."""


def documents(text: str, deepest: int) -> list[Node]:
    """The root of each document; what is no YAML is an error of PyYAML's own, whose words say more.

    libyaml puts nodes together by calls within calls without a bound, so nesting is counted in its events first.
    """
    if _FAST is not None:
        try:
            _require_shallow(text, deepest)
            return list(yaml.compose_all(text, _FAST))
        except yaml.YAMLError:
            pass
    return list(yaml.compose_all(text, yaml.SafeLoader))


def _require_shallow(text: str, deepest: int) -> None:
    depth = 0
    for event in yaml.parse(text, _FAST):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            raise TooDeep
