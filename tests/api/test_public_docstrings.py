"""Everything public says what it is, by itself or by what it inherits, and in words that stand alone."""

import inspect
from typing import Any

import pytest

import lineal


def members() -> dict[str, Any]:
    """Public names, and the public attributes that lineal's own code gives their classes."""
    found: dict[str, Any] = {}
    for name in lineal.__all__:
        if name == "__version__":
            continue
        found[name] = thing = getattr(lineal, name)
        if inspect.isclass(thing):
            own = [key for cls in thing.__mro__ if cls.__module__.startswith("lineal") for key in vars(cls)]
            found |= {f"{name}.{key}": inspect.getattr_static(thing, key) for key in own if not key.startswith("_")}
    return {name: thing for name, thing in found.items() if is_told(thing)}


def is_told(thing: Any) -> bool:
    kinds = (staticmethod, classmethod, property)
    return inspect.isclass(thing) or inspect.isroutine(thing) or isinstance(thing, kinds) or hasattr(thing, "func")


@pytest.mark.parametrize("name", sorted(members()))
def test_what_is_public_says_what_it_is(name: str) -> None:
    holder, _, attribute = name.partition(".")
    thing = getattr(lineal, holder)
    said = inspect.getdoc(inspect.getattr_static(thing, attribute) if attribute else thing)
    if said is None and attribute:  # what it overrides tells
        above = [vars(cls)[attribute] for cls in thing.__mro__ if attribute in vars(cls)]
        said = next((doc for doc in map(inspect.getdoc, above) if doc), None)
    assert said, name
    assert not said.startswith("The same"), "the same as what?"
