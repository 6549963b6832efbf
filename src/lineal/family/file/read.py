"""family.yaml -> recipes: every fault of the file at once, each with its line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lineal.family.file.dependency_order import dependency_order
from lineal.family.file.licence_section import read_licences
from lineal.family.file.located_yaml import Faults, KeyPath, Located, raise_if_any
from lineal.family.file.recipe import Family, ModelRecipe
from lineal.family.file.verbs import VerbReader
from lineal.family.names import NAME, is_path
from lineal.lineage.tables.references import here
from lineal.methods.method import nearest
from lineal.shown import quoted

_TOP_KEYS = ("family", "models", "evaluate", "licences")


def read_family(path: Path, is_known: Callable[[str], bool] = lambda _: False) -> Family:
    """Read and validate a family file; `is_known` says whether a name from elsewhere stands for a model."""
    document = Located.read(path)
    return _FamilyReader(document, is_known).read()


class _FamilyReader:
    def __init__(self, document: Located, is_known: Callable[[str], bool]) -> None:
        self._faults = Faults(document)
        self._document, self._is_known = document, is_known
        self._reader = VerbReader(document, self._faults)

    def read(self) -> Family:
        top = self._faults.mapping(self._document.value, (), "a family file")
        self._faults.unknown_keys(top, (), _TOP_KEYS)
        name = top.get("family", self._document.path.resolve().parent.name)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self._faults.add(("family",), f"family: {quoted(name)} is not a name (letters, digits, . _ -)")
        if "models" not in top:
            self._faults.add((), "models: needed, a mapping from names to recipes")
        entries = self._faults.mapping(top.get("models", {}), ("models",), "models")
        recipes = {key: recipe for key, entry in entries.items() if (recipe := self._model(key, entry))}
        self._check_references(recipes, entries)
        texts = self._texts(top.get("evaluate", {}))
        folder = self._document.path.resolve().parent
        licences = read_licences(top.get("licences", {}), self._faults, recipes, folder)
        raise_if_any(self._faults)
        models = {key: recipes[key] for key in dependency_order(recipes)}
        return Family(str(name), models, texts, licences, self._document.file)

    def _model(self, name: str, entry: Any) -> ModelRecipe | None:
        keys: KeyPath = ("models", name)
        if not NAME.fullmatch(name):
            self._faults.add(keys, f"{quoted(name)} is not a name (letters, digits, . _ -)")
        verbs = self._reader.verbs
        recipe = self._faults.mapping(entry, keys, name)
        if len(recipe) != 1:
            self._faults.add(
                keys, f"{name}: exactly one of {', '.join(verbs)} is needed, got {', '.join(recipe) or 'none'}"
            )
            return None
        ((verb, body),) = recipe.items()
        if verb not in verbs:
            self._faults.add((*keys, verb), f"{name}: unknown verb {quoted(verb)} ({nearest(verb, verbs)})")
            return None
        return verbs[verb](name, (*keys, verb), self._faults.mapping(body, (*keys, verb), f"{name}: {verb}"))

    def _texts(self, value: Any) -> dict[str, Path]:
        keys: KeyPath = ("evaluate",)
        body = self._faults.mapping(value, keys, "evaluate")
        self._faults.unknown_keys(body, keys, ("data",))
        texts = self._faults.mapping(body.get("data", {}), (*keys, "data"), "evaluate: data")
        return {name: self._reader.data_file(file, (*keys, "data", name), "evaluate") for name, file in texts.items()}

    def _check_references(self, recipes: Mapping[str, ModelRecipe], entries: Mapping[str, Any]) -> None:
        for recipe in recipes.values():
            for reference in recipe.inputs:
                if reference.model not in entries and not self._is_known(reference.model):
                    self._faults.add(("models", recipe.name), f"{recipe.name}: {_unknown(reference.model, entries)}")


def _unknown(model: str, entries: Mapping[str, Any]) -> str:
    if is_path(model):
        return f"no model {model}: no such file or folder"
    return f"unknown model {quoted(model)} ({here(model) or nearest(model, entries)})"
