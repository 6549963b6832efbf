"""What a derivation ran on: versions and machine, nothing that tells who or where."""

import platform
from importlib.metadata import PackageNotFoundError, version

from lineal.derivation.canonical import Json

_ARITHMETIC = ("lineal", "numpy", "numba", "torch", "transformers", "peft", "tokenizers")


def environment() -> dict[str, Json]:
    """The versions that arithmetic depends on, the Python, the system and the kind of processor."""
    found: dict[str, Json] = {"python": platform.python_version()}
    for package in _ARITHMETIC:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, "system": platform.system(), "machine": platform.machine()}
