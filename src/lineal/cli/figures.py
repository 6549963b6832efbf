"""Figures on a command line: NAME=VALUE, once for each name."""

from collections.abc import Iterable

from lineal.errors import UsageError


def figures(option: str, words: Iterable[str]) -> dict[str, float]:
    """The values by name."""
    found: dict[str, float] = {}
    for word in words:
        name, _, written = word.partition("=")
        try:
            figure = float(written)
        except ValueError:
            raise UsageError(f"{option} {word}: NAME=VALUE is needed, a number as the value") from None
        if name in found:
            raise UsageError(f"{option} {word}: {name} is given twice")
        found[name] = figure
    return found
