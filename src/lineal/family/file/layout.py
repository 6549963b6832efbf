"""`layout` of a merge: the published one, another that is known by name, or that of one of its models."""

from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from typing import Any, cast

from lineal.checkpoint.layouts.table import LAYOUT_NAMES
from lineal.errors import MethodError, UsageError
from lineal.family.file.recipe import Reference
from lineal.methods.method import Method
from lineal.methods.recipe.recipe import PUBLISHED, MergeRecipe, Part, Stretch
from lineal.methods.recipe.settings import Rule, Settings
from lineal.methods.streaming import StreamingMethod
from lineal.shown import quoted

LAYOUT_WORDS = (PUBLISHED, *LAYOUT_NAMES)


def read_layout(written: object, models: Sequence[str]) -> str | int:
    """The name of a layout, or the place of the model whose layout it is; models: as they are written, in order."""
    if isinstance(written, str) and written in LAYOUT_WORDS:
        return written
    if isinstance(written, str) and written in models:
        return models.index(written)
    raise UsageError(f"layout is {', '.join(LAYOUT_WORDS)} or one of the models that are merged, got {quoted(written)}")


def in_layout(method: Method, inputs: Sequence[Reference], written: object) -> Method:
    """The method as a recipe whose child has a layout of its own; inputs: what it is applied to, the base first."""
    layout = read_layout(written, [used.model for used in inputs])
    if isinstance(method, MergeRecipe):
        return replace(method, layout=layout)
    if not isinstance(method, StreamingMethod) or method.uses_data:
        raise MethodError(f"{method.name}: its child has the layout of its first model; it takes no layout")
    first = sum(used.role == "base" for used in inputs)
    common, by_model = _settings(method, len(inputs) - first)
    models = tuple(Stretch(model=first + place, options=options) for place, options in enumerate(by_model))
    base = Stretch(model=0) if first and method.uses_base else None
    return MergeRecipe(
        method=method.name,
        method_version=method.version,
        parts=(Part(models=models, base=base),),
        options_=common,
        layout=layout,
    )


def _settings(method: StreamingMethod, models: int) -> tuple[Settings, list[Settings]]:
    """What its options are for all models, and for each; those that say nothing are left out."""
    common: dict[str, Any] = {}
    by_model: list[dict[str, Any]] = [{} for _ in range(models)]
    for option in fields(cast(Any, method)):
        value = getattr(method, option.name)
        if value is None or value == () or (option.default is not MISSING and value == option.default):
            continue
        name = option.name.rstrip("_")
        if not isinstance(value, tuple):
            common[name] = (Rule(value=value),)
        elif len(value) == 1:
            common[name] = (Rule(value=value[0]),)
        else:
            for settings, one in zip(by_model, value, strict=False):
                settings[name] = (Rule(value=one),)
    return common, list[Settings](by_model)
