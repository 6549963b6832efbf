"""What a derivation ran on: versions and machine, nothing that tells who or where."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from lineal.derivation.canonical import Json
from lineal.derivation.plugin import Plugin

METHOD_PACKAGE = "method_package"
"""The key that names the package a step's method is from, where that is not lineal; its version stands beside."""

_ARITHMETIC = ("lineal", "numpy", "numba", "torch", "transformers", "peft", "tokenizers")


def environment(package: Plugin | None = None) -> dict[str, Json]:
    """The versions that arithmetic depends on, the Python, the system and the kind of processor.

    package: the one that registered the step's method, if one did.
    """
    found: dict[str, Json] = {"python": platform.python_version()}
    for name in _ARITHMETIC:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if package is not None:
        found |= {package.name: package.version, METHOD_PACKAGE: package.name}
    return {**found, "system": platform.system(), "machine": platform.machine()}


def method_package(environment: Mapping[str, Json]) -> Plugin | None:
    """The package that a step's method was from, by the step's environment; None where it was lineal's own."""
    name = environment.get(METHOD_PACKAGE)
    return Plugin(name, str(environment.get(name, "of no known version"))) if isinstance(name, str) else None
