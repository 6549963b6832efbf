"""A mergekit file as a family: its documents, in stages where there are several, and the models that they name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lineal.errors import UsageError
from lineal.family.located_yaml import Faults, Located, raise_if_any
from lineal.family.mergekit.document import KEYS, read_document
from lineal.family.mergekit.references import References
from lineal.family.names import NAME, name_of_folder
from lineal.family.order import dependency_order
from lineal.family.recipe import Family, ModelRecipe

_NAMES = ("name", "out_path")


def read_mergekit_file(path: Path, out: Path, is_known: Callable[[str], bool]) -> Family:
    """A family whose last model is `out`; models of other stages lie beside it.

    Stages name each other by `name`, or by the `out_path` of older files. Their faults are told all at once.
    """
    documents = Located.read_all(path)
    faults = [Faults(document) for document in documents]
    bodies = [one.mapping(document.value, (), "a recipe") for one, document in zip(faults, documents, strict=True)]
    target = name_of_folder(out)
    names = _names(bodies, target.name, faults)
    recipes: dict[str, ModelRecipe] = {}
    for name, body, fault, document in zip(names, bodies, faults, documents, strict=True):
        if document.value != body:  # no mapping, which has been said
            continue
        fault.unknown_keys(body, (), (*KEYS, *_NAMES))
        read = read_document(body, (), fault, References(fault, _resolver(bodies, names, is_known)))
        if read is not None:
            method, inputs = read
            recipes[name] = ModelRecipe(name=name, kind="merge", inputs=inputs, method=method, line=document.line(()))
    raise_if_any(*faults)
    return Family(target.family, {name: recipes[name] for name in dependency_order(recipes)})


def _names(bodies: list[Mapping[str, Any]], target: str, faults: list[Faults]) -> list[str]:
    """Of each stage: its own, and the target's for the one without a name, or for the last."""
    given = [body.get("name") or Path(str(body.get("out_path") or "")).name for body in bodies]
    unnamed = [index for index, name in enumerate(given) if not name]
    final = unnamed[-1] if unnamed else len(given) - 1
    for index in unnamed[:-1]:
        faults[index].add((), "a stage needs a name; one, the last, may do without")
    names = [target if index == final else str(name) for index, name in enumerate(given)]
    for index, name in enumerate(names):
        if name and not NAME.fullmatch(name):
            faults[index].add(("name",), f"{name!r} is not a name (letters, digits, . _ -)")
        if name in names[:index]:
            faults[index].add(("name",), f"two stages are called {name!r}")
    return names


def _resolver(
    bodies: list[Mapping[str, Any]], names: list[str], is_known: Callable[[str], bool]
) -> Callable[[str, str | None], str]:
    stages = {str(body[key]): name for body, name in zip(bodies, names, strict=True) for key in _NAMES if body.get(key)}

    def resolve(model: str, revision: str | None) -> str:
        if revision is not None:
            raise UsageError(f"{model}@{revision}: a family file can name it, {{hub: ..., revision: ...}}")
        if model in stages:
            return stages[model]
        if "/" not in model and Path(model).exists():
            return f"./{model}"
        if not is_known(model):
            raise UsageError(f"no folder, no known model and no earlier stage {model!r}")
        return model

    return resolve
