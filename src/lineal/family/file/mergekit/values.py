"""A parameter as mergekit writes it -> the rules of an option."""

from collections.abc import Mapping
from typing import Any, cast

from lineal.errors import UsageError
from lineal.methods.method import nearest
from lineal.methods.recipe.settings import Rule, Setting, Value
from lineal.shown import quoted

_RULE_KEYS = ("filter", "value")


def read_setting(written: Any) -> Setting:
    """A value, a gradient, or a list of {filter, value}; anything else is a UsageError."""
    if isinstance(written, list) and any(isinstance(item, Mapping) for item in cast(list[Any], written)):
        return tuple(_rule(item) for item in cast(list[Any], written))
    return (Rule(value=_value(written)),)


def _rule(written: Any) -> Rule:
    if not isinstance(written, Mapping):
        raise UsageError(f"a list holds either values or {{filter, value}}, got {quoted(written)} among them")
    parts = cast(Mapping[str, Any], written)
    for key in parts:
        if key not in _RULE_KEYS:
            raise UsageError(f"unknown key {quoted(key)} ({nearest(key, _RULE_KEYS)})")
    if "value" not in parts:
        raise UsageError("a filter needs a value")
    name = parts.get("filter")
    if name is not None and (not isinstance(name, str) or not name):
        raise UsageError(f"a filter is part of a tensor's name, got {quoted(name)}")
    return Rule(filter=name, value=_value(parts["value"]))


def _value(written: Any) -> Value | tuple[Value, ...]:
    if isinstance(written, list):
        found = tuple(_scalar(item) for item in cast(list[Any], written))
        return found[0] if len(found) == 1 else found
    return _scalar(written)


def _scalar(written: Any) -> Value:
    if isinstance(written, bool):
        return written
    if isinstance(written, int | float | str):
        try:
            return float(written)  # also of a word: YAML reads 1e-5 as one
        except ValueError:
            return str(written)
        except OverflowError:
            raise UsageError("a value is a number that a float can hold") from None
    raise UsageError(f"a value is a number, true or false, got {quoted(written)}")
