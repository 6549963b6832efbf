"""Every method by kind and name: the plain ones, and the recipe, which uses one of them differently by place."""

from collections.abc import Mapping
from functools import cache

from lineal.derivation.step import Kind
from lineal.errors import MethodError
from lineal.methods.method import Method
from lineal.methods.plain import find_among, plain_methods
from lineal.methods.recipe.recipe import MergeRecipe


@cache
def methods() -> Mapping[tuple[Kind, str], type[Method]]:
    """All methods, sorted by kind and name."""
    recipe = (MergeRecipe.kind, MergeRecipe.name)
    if recipe in plain_methods():
        raise MethodError(f"a package registers {recipe[0]} {recipe[1]}, which is lineal's own")
    return dict(sorted({**plain_methods(), recipe: MergeRecipe}.items()))


def find_method(kind: Kind, name: object, version: int | None = None) -> type[Method]:
    """The method of this kind and name, or an error with the nearest known name.

    version: that a record was made under; another than this lineal's computes other bytes, and is refused.
    """
    return find_among(methods(), kind, name, version)
