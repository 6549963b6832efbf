"""The methods that stand alone: lineal's own, and those that packages register in the group `lineal.methods`."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from itertools import chain
from typing import cast

from lineal.derivation.plugin import Plugin
from lineal.derivation.step import Kind
from lineal.errors import MethodError
from lineal.methods import distill, finetune, merge, prune, quantize
from lineal.methods.method import Method, nearest
from lineal.shown import quoted

ENTRY_POINTS = "lineal.methods"


@cache
def plain_methods() -> Mapping[tuple[Kind, str], type[Method]]:
    """By kind and name; a registered one may not take the name of another."""
    found: dict[tuple[Kind, str], type[Method]] = {}
    own = (finetune.ORIGINALS, finetune.METHODS, distill.METHODS, merge.METHODS, prune.METHODS, quantize.METHODS)
    for method in chain(*own, _registered()):
        if (method.kind, method.name) in found:
            raise MethodError(f"two methods are registered as {method.kind} {quoted(method.name)}")
        found[method.kind, method.name] = method
    return found


def registrant(method: type[Method]) -> Plugin | None:
    """The package that registered the method; None of lineal's own."""
    return _registered().get(method)


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
        raise MethodError(f"{point.value}: registered as a method, and is no class that inherits Method")
    return found


def find_among(
    known: Mapping[tuple[Kind, str], type[Method]], kind: Kind, name: object, version: int | None = None
) -> type[Method]:
    """The method of this kind and name, or an error with the nearest known name.

    version: that a record was made under; another than this lineal's computes other bytes, and is refused.
    """
    if not isinstance(name, str) or (kind, name) not in known:
        names = [known_name for known_kind, known_name in known if known_kind == kind]
        raise MethodError(f"unknown {kind} method {quoted(name)} ({nearest(str(name), names)})")
    found = known[kind, name]
    if version not in (None, found.version):
        raise MethodError(f"made under version {version} of {name}, and this lineal computes version {found.version}")
    return found
