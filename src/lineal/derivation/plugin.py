"""The package that a method is from, where that is not lineal."""

from typing import NamedTuple


class Plugin(NamedTuple):
    """A distribution as it calls itself, such as lineal-pantry 0.3.1."""

    name: str
    version: str
