"""One mergekit document -> a merge method and its inputs, with a fault for everything that is not understood."""

from collections.abc import Mapping
from itertools import product
from typing import Any, TypeAlias

from lineal.errors import MethodError, UsageError
from lineal.family.file.layout import LAYOUT_WORDS
from lineal.family.file.located_yaml import Faults, KeyPath
from lineal.family.file.mergekit.inputs import InputList
from lineal.family.file.mergekit.parts import FORMS, PartReader
from lineal.family.file.mergekit.references import References
from lineal.family.file.mergekit.settings import ParameterReader
from lineal.family.file.mergekit.vocabulary import KEYS as TOKEN_KEYS
from lineal.family.file.mergekit.vocabulary import VocabularyReader
from lineal.family.file.recipe import Reference
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method
from lineal.methods.recipe.recipe import MergeRecipe
from lineal.methods.streaming import StreamingMethod
from lineal.shown import quoted

Body: TypeAlias = Mapping[str, Any]
Read: TypeAlias = tuple[Method, tuple[Reference, ...]]

KEYS = ("merge_method", "base_model", *FORMS, "parameters", "dtype", "out_dtype", "layout", *TOKEN_KEYS)
_DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


def read_document(body: Body, keys: KeyPath, faults: Faults, references: References) -> Read | None:
    """The method with its options and the models it is applied to; None after a fault."""
    method = faults.attempt((*keys, "merge_method"), lambda: _method(body.get("merge_method")))
    if method is None:
        return None
    inputs, parameters = InputList(), ParameterReader(method, faults)
    base = references.read(body["base_model"], (*keys, "base_model")) if body.get("base_model") else None
    if base is not None:  # whose config and tokenizer the child has
        _ = inputs.index_of(base)
    parts = PartReader(faults, references, inputs, parameters).read(body, keys, base)
    options = parameters.read(body.get("parameters"), (*keys, "parameters"))
    dtype = faults.attempt((*keys, "out_dtype" if body.get("out_dtype") else "dtype"), lambda: _dtype(body))
    tokens = VocabularyReader(faults, references, inputs, base)
    vocabulary, template = tokens.read(body, keys), tokens.chat_template(body, keys)
    layout = _layout(body.get("layout"), (*keys, "layout"), references, inputs)
    models = faults.attempt(keys, inputs.references)
    if not parts or models is None:
        return None
    try:
        recipe = MergeRecipe(
            method=method.name,
            method_version=method.version,
            parts=tuple(parts),
            options_=parameters.with_defaults(options),
            dtype=dtype,
            vocabulary=vocabulary,
            chat_template=template,
            layout=layout,
        )
    except UsageError as error:
        faults.add(parameters.place_of(str(error), keys), str(error))
        return None
    if not _holds(recipe, keys, faults, parameters):
        return None
    return _simplest(recipe, len(inputs.named)), models


def _method(written: Any) -> type[StreamingMethod]:
    if written is None:
        raise MethodError("merge_method is needed")
    found = find_method("merge", written)
    if not issubclass(found, StreamingMethod):
        raise MethodError(f"{quoted(written)} cannot be the method of a recipe")
    if found.uses_data:
        raise MethodError(f"{quoted(written)} needs data, which mergekit's YAML has no key for")
    return found


def _dtype(body: Body) -> str | None:
    """As what the child is stored; it is computed in float32 whatever `dtype` says."""
    written = body.get("out_dtype") or body.get("dtype")
    if written is not None and not isinstance(written, str):
        raise UsageError(f"a dtype is a text, got {quoted(written)}")
    if written is not None and written not in _DTYPES:
        raise UsageError(f"unknown dtype {quoted(written)} (known: {', '.join(_DTYPES)})")
    return _DTYPES[written] if written else None


def _layout(written: Any, keys: KeyPath, references: References, inputs: InputList) -> str | int | None:
    """A layout's name, or the place of the model whose layout it is."""
    if written is None or written in LAYOUT_WORDS:
        return written
    named = references.read(written, keys)
    return None if named is None else inputs.index_of(named)


def _holds(recipe: MergeRecipe, keys: KeyPath, faults: Faults, parameters: ParameterReader) -> bool:
    """Whether the method takes its options everywhere that they change: a fault for each that it refuses."""
    rules = [rule for settings in recipe.mentioned() for setting in settings.values() for rule in setting]
    names = dict.fromkeys(["", *(rule.filter or "" for rule in rules)])
    knots = {index / max(1, len(rule.values) - 1) for rule in rules for index in range(len(rule.values))}
    refused: set[str] = set()
    for part, name, knot in product(recipe.parts, names, sorted(knots | {0.0, 1.0})):
        try:
            _ = recipe.method_at(part, name, knot)
        except UsageError as error:
            refused.add(str(error))
    for fault in sorted(refused):
        faults.add(parameters.place_of(fault, keys), fault)
    return not refused


def _simplest(recipe: MergeRecipe, models: int) -> Method:
    """The method alone, where that says all: one part of all models in order, with options that never change."""
    (part, *more) = recipe.parts
    in_order = [stretch.model for stretch in part.stretches] == list(range(models))
    rules = [rule for settings in recipe.mentioned() for setting in settings.values() for rule in setting]
    varies = any(rule.filter is not None or len(rule.values) > 1 for rule in rules)
    more_than_options = more or recipe.several or recipe.dtype or recipe.vocabulary or recipe.chat_template
    more_than_options = more_than_options or recipe.layout is not None
    if more_than_options or varies or not in_order or models == 1:
        return recipe
    return recipe.method_at(part, "", 0.0)
