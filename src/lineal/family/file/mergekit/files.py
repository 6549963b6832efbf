"""A mergekit file as a family: its documents, in stages where there are several, and the models that they name."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

from lineal.errors import StorageError, UsageError
from lineal.family.file.dependency_order import dependency_order
from lineal.family.file.located_yaml import Faults, Located, raise_if_any
from lineal.family.file.mergekit.document import KEYS, read_document
from lineal.family.file.mergekit.references import References
from lineal.family.file.recipe import Family, ModelRecipe, Origin
from lineal.family.names import NAME, name_of_folder
from lineal.shown import quoted

_NAMES = ("name", "out_path")
_REPOSITORY = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""ORGANISATION/NAME on the Hub, as its own rules have it."""
_DIGITS = 7
"""Of a commit, in the name that its model has here."""


def read_mergekit_file(
    path: Path, out: Path, is_known: Callable[[str], bool], commit_of: Callable[[str, str | None], str]
) -> Family:
    """A family whose last model is `out`; models of other stages lie beside it.

    Stages name each other by `name`, or by the `out_path` of older files. Their faults are told all at once. What is
    no folder and no model known here, but looks like a repository of the Hub, is one; commit_of: says at which commit
    its revision is.
    """
    documents = Located.read_all(path)
    faults = [Faults(document) for document in documents]
    bodies = [one.mapping(document.value, (), "a recipe") for one, document in zip(faults, documents, strict=True)]
    target = name_of_folder(out)
    names = _names(bodies, target.name, faults)
    recipes: dict[str, ModelRecipe] = {}
    models = _Models(_stages(bodies, names), is_known, commit_of)
    for name, body, fault, document in zip(names, bodies, faults, documents, strict=True):
        if document.value != body:  # no mapping, which has been said
            continue
        fault.unknown_keys(body, (), (*KEYS, *_NAMES))
        read = read_document(body, (), fault, References(fault, models.resolve))
        if read is not None:
            method, inputs = read
            recipes[name] = ModelRecipe(name=name, kind="merge", inputs=inputs, method=method, line=document.line(()))
    raise_if_any(*faults)
    recipes.update(models.originals)
    return Family(target.family, {name: recipes[name] for name in dependency_order(recipes)}, file=documents[0].file)


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
            faults[index].add(("name",), f"{quoted(name)} is not a name (letters, digits, . _ -)")
        if name in names[:index]:
            faults[index].add(("name",), f"two stages are called {quoted(name)}")
    return names


def _stages(bodies: list[Mapping[str, Any]], names: list[str]) -> dict[str, str]:
    """What later stages call each of them -> its name."""
    return {str(body[key]): name for body, name in zip(bodies, names, strict=True) for key in _NAMES if body.get(key)}


@final
class _Models:
    """What a file calls its models -> what they are called here. originals: those of the Hub, as they are met."""

    def __init__(
        self,
        stages: Mapping[str, str],
        is_known: Callable[[str], bool],
        commit_of: Callable[[str, str | None], str],
    ) -> None:
        self._stages, self._is_known, self._commit_of = stages, is_known, commit_of
        self.originals: dict[str, ModelRecipe] = {}

    def resolve(self, model: str, revision: str | None) -> str:
        if revision is None:
            if model in self._stages:
                return self._stages[model]
            if "/" not in model and Path(model).exists():
                return f"./{model}"
            if self._is_known(model):
                return model
        if not _REPOSITORY.fullmatch(model):
            at = f"; only repositories of the Hub have revisions such as {revision}" if revision else ""
            raise UsageError(f"no folder, no known model and no earlier stage {quoted(model)}{at}")
        try:
            commit = self._commit_of(model, revision)
        except StorageError as error:
            raise UsageError(f"no folder, no known model and no earlier stage {quoted(model)}; {error}") from None
        name = f"{model.replace('/', '--')}-{commit[:_DIGITS]}"
        origin = Origin(hub=model, revision=commit)
        self.originals[name] = ModelRecipe(name=name, kind="original", origin=origin)
        return name
