"""Every method by kind and name: lineal's own, and those that packages register in the group `lineal.methods`."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import cast

from lineal.derivation.plugin import Plugin
from lineal.derivation.step import Kind
from lineal.errors import MethodError
from lineal.methods import distill, finetune, merge, prune, quantize
from lineal.methods.method import Method, nearest
from lineal.shown import quoted

ENTRY_POINTS = "lineal.methods"

_OWN: tuple[tuple[Kind, str, Mapping[str, str]], ...] = (
    ("original", finetune.__name__, finetune.ORIGINALS),
    ("fine-tune", finetune.__name__, finetune.METHODS),
    ("distillation", distill.__name__, distill.METHODS),
    ("merge", merge.__name__, merge.METHODS),
    ("merge", "lineal.methods.recipe", {"recipe": "recipe:MergeRecipe"}),
    ("prune", prune.__name__, prune.METHODS),
    ("quantize", quantize.__name__, quantize.METHODS),
)

_TOLD: Mapping[Kind, str] = {"distillation": "temperature", "prune": "sparsity", "quantize": "scheme"}
"""The option that the summary of a step takes from its method."""


@cache
def methods() -> Mapping[tuple[Kind, str], type[Method]]:
    """All of them, loaded and sorted by kind and name."""
    return {(kind, name): find_method(kind, name) for kind, name in sorted(_known())}


def find_method(kind: Kind, name: object, version: int | None = None) -> type[Method]:
    """The method of this kind and name, or an error with the nearest known name; no other is loaded.

    version: that a record was made under; another than this lineal's computes other bytes, and is refused.
    """
    if not isinstance(name, str) or (kind, name) not in _known():
        names = [known_name for known_kind, known_name in _known() if known_kind == kind]
        raise MethodError(f"unknown {kind} method {quoted(name)} ({nearest(str(name), names)})")
    known = _known()[kind, name]
    found = _own(known) if isinstance(known, str) else known
    if version not in (None, found.version):
        raise MethodError(f"made under version {version} of {name}, and this lineal computes version {found.version}")
    return found


def registrant(method: type[Method]) -> Plugin | None:
    """The package that registered the method; None of lineal's own."""
    return _registered().get(method)


@cache
def _known() -> Mapping[tuple[Kind, str], str | type[Method]]:
    """lineal's own as module and class, and those of packages; none of these may take the name of another."""
    found: dict[tuple[Kind, str], str | type[Method]] = {
        (kind, name): f"{room}.{where}" for kind, room, table in _OWN for name, where in table.items()
    }
    for method in _registered():
        if (method.kind, method.name) in found:
            raise MethodError(f"two methods are registered as {method.kind} {quoted(method.name)}")
        found[method.kind, method.name] = method
    return found


def _own(where: str) -> type[Method]:
    module, name = where.split(":")
    return cast(type[Method], getattr(import_module(module), name))


@cache
def _registered() -> Mapping[type[Method], Plugin]:
    found: dict[type[Method], Plugin] = {}
    for point in entry_points(group=ENTRY_POINTS):
        package = cast(Distribution, point.dist)  # only one that was made by hand has none
        found[_loaded(point, package.name)] = Plugin(package.name, package.version)
    return found


def _loaded(point: EntryPoint, package: str) -> type[Method]:
    try:
        found = point.load()
    except Exception as error:
        raise MethodError(
            f"the package {package} registers the method {point.name}, which cannot be loaded: {error}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise MethodError(f"{point.value}: registered as a method, but not a class that inherits Method")
    told = _TOLD.get(found.kind)
    if told is not None and told not in found.option_names():
        raise MethodError(f"{point.value}: a {found.kind} method has an option {told}, which its steps are known by")
    return found
