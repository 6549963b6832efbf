"""family.yaml -> recipes: every fault of the file at once, each with its line."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from lineal.derivation.step import Kind, Role
from lineal.errors import MethodError
from lineal.family.located_yaml import Faults, Located, Place
from lineal.family.names import NAME
from lineal.family.order import dependency_order
from lineal.family.recipe import Family, ModelRecipe, Origin, Reference
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method, nearest

_TOP_KEYS = ("family", "models", "evaluate")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read_family(path: Path, is_known: Callable[[str], bool] = lambda _: False) -> Family:
    """Read and validate a family file; `is_known` says whether a name from elsewhere stands for a model."""
    document = Located(path)
    return _FamilyReader(document, is_known).read()


class _FamilyReader:
    def __init__(self, document: Located, is_known: Callable[[str], bool]) -> None:
        self._faults = Faults(document)
        self._document, self._is_known = document, is_known
        self._folder = document.path.resolve().parent

    def read(self) -> Family:
        top = self._faults.mapping(self._document.value, (), "a family file")
        self._refuse_unknown(top, (), _TOP_KEYS)
        name = top.get("family", self._folder.name)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self._faults.add(("family",), f"family: {name!r} is not a name (letters, digits, . _ -)")
        if "models" not in top:
            self._faults.add((), "models: needed, a mapping from names to recipes")
        entries = self._faults.mapping(top.get("models", {}), ("models",), "models")
        recipes = {key: recipe for key, entry in entries.items() if (recipe := self._model(key, entry))}
        self._check_references(recipes, entries)
        texts = self._texts(top.get("evaluate", {}))
        self._faults.raise_if_any()
        return Family(str(name), {key: recipes[key] for key in dependency_order(recipes)}, texts)

    def _model(self, name: str, entry: Any) -> ModelRecipe | None:
        place: Place = ("models", name)
        if not NAME.fullmatch(name):
            self._faults.add(place, f"{name!r} is not a name (letters, digits, . _ -)")
        verbs: dict[str, Callable[[str, Place, Mapping[str, Any]], ModelRecipe | None]] = {
            "original": self._original,
            "finetune": self._finetune,
            "merge": self._merge,
        }
        recipe = self._faults.mapping(entry, place, name)
        if len(recipe) != 1:
            self._faults.add(
                place, f"{name}: exactly one of {', '.join(verbs)} is needed, got {', '.join(recipe) or 'none'}"
            )
            return None
        ((verb, body),) = recipe.items()
        if verb not in verbs:
            self._faults.add((*place, verb), f"{name}: unknown verb {verb!r} ({nearest(verb, verbs)})")
            return None
        return verbs[verb](name, (*place, verb), self._faults.mapping(body, (*place, verb), f"{name}: {verb}"))

    def _original(self, name: str, place: Place, body: Mapping[str, Any]) -> ModelRecipe | None:
        if "train" in body:
            self._refuse_unknown(body, place, ("train",))
            training = self._faults.mapping(body["train"], (*place, "train"), f"{name}: train")
            place = (*place, "train")
            method = self._method("original", "train", place, training, ("data",))
            return self._recipe(name, "original", place, method=method, data=self._data(training, place))
        self._refuse_unknown(body, place, ("path", "hub", "revision"))
        if ("path" in body) == ("hub" in body):
            self._faults.add(place, f"{name}: an original needs one of path, hub or train")
            return None
        if "path" in body:
            return self._recipe(name, "original", place, origin=Origin(path=self._path(body["path"])))
        revision = body.get("revision")
        if not isinstance(revision, str) or not _COMMIT.fullmatch(revision):
            self._faults.add(place, f"{name}: hub needs a revision, the 40 hex digits of a commit: a branch can move")
        return self._recipe(name, "original", place, origin=Origin(hub=str(body["hub"]), revision=str(revision)))

    def _finetune(self, name: str, place: Place, body: Mapping[str, Any]) -> ModelRecipe:
        method = self._method("fine-tune", body.get("method", "lora"), place, body, ("parent", "data", "method"))
        inputs = self._references("parent", body.get("parent"), (*place, "parent"), f"{name}: parent")
        return self._recipe(name, "fine-tune", place, inputs=inputs, method=method, data=self._data(body, place))

    def _merge(self, name: str, place: Place, body: Mapping[str, Any]) -> ModelRecipe:
        known = ("parents", "base", "method", "allow_nonfinite")
        method = self._method("merge", body.get("method"), place, body, known)
        base = self._references("base", body["base"], (*place, "base"), f"{name}: base") if "base" in body else ()
        parents = self._references("parent", body.get("parents"), (*place, "parents"), f"{name}: parents")
        allow = body.get("allow_nonfinite", False)
        if not isinstance(allow, bool):
            self._faults.add(
                (*place, "allow_nonfinite"), f"{name}: allow_nonfinite must be true or false, got {allow!r}"
            )
        return self._recipe(
            name, "merge", place, inputs=(*base, *parents), method=method, allow_nonfinite=allow is True
        )

    def _recipe(self, name: str, kind: Kind, place: Place, **fields: Any) -> ModelRecipe:
        return ModelRecipe(name=name, kind=kind, line=self._document.line(place), **fields)

    def _method(
        self, kind: Kind, name: Any, place: Place, body: Mapping[str, Any], structure: tuple[str, ...]
    ) -> Method | None:
        """The method that the body's options make; `structure` names the keys that are not options."""
        if name is None:
            self._faults.add(place, f"{place[1]}: method is needed")
            return None
        try:
            method = find_method(kind, name)
        except MethodError as error:
            self._faults.add((*place, "method"), f"{place[1]}: {error}")
            return None
        options = {key: value for key, value in body.items() if key not in structure}
        try:
            return method.from_options(options)
        except MethodError as error:
            culprit = next((key for key in options if key in str(error)), "method")
            self._faults.add((*place, culprit), f"{place[1]}: {error}")
            return None

    def _data(self, body: Mapping[str, Any], place: Place) -> tuple[Path, ...]:
        given = body.get("data")
        files = cast(list[Any], given if isinstance(given, list) else [given])
        if given is None or not all(isinstance(file, str) for file in files):
            self._faults.add((*place, "data"), f"{place[1]}: data must be a file or a list of files, got {given!r}")
            return ()
        return tuple(self._file(file, (*place, "data"), str(place[1])) for file in files)

    def _texts(self, value: Any) -> dict[str, Path]:
        place: Place = ("evaluate",)
        body = self._faults.mapping(value, place, "evaluate")
        self._refuse_unknown(body, place, ("data",))
        texts = self._faults.mapping(body.get("data", {}), (*place, "data"), "evaluate: data")
        return {name: self._file(file, (*place, "data", name), "evaluate") for name, file in texts.items()}

    def _file(self, file: Any, place: Place, what: str) -> Path:
        path = self._path(file)
        if not path.is_file():
            self._faults.add(place, f"{what}: no data file {path}")
        return path

    def _path(self, written: Any) -> Path:
        return self._folder / Path(str(written)).expanduser()

    def _references(self, role: Role, value: Any, place: Place, what: str) -> tuple[Reference, ...]:
        names = cast(list[Any], value if isinstance(value, list) and role == "parent" else [value])
        if not names or not all(isinstance(name, str) and name for name in names):
            self._faults.add(place, f"{what} must name a model, got {value!r}")
            return ()
        return tuple(Reference(role, name) for name in names)

    def _check_references(self, recipes: Mapping[str, ModelRecipe], entries: Mapping[str, Any]) -> None:
        for recipe in recipes.values():
            for reference in recipe.inputs:
                if reference.model not in entries and not self._is_known(reference.model):
                    hint = nearest(reference.model, entries)
                    self._faults.add(
                        ("models", recipe.name), f"{recipe.name}: unknown model {reference.model!r} ({hint})"
                    )

    def _refuse_unknown(self, body: Mapping[str, Any], place: Place, known: tuple[str, ...]) -> None:
        for key in body:
            if key not in known:
                self._faults.add((*place, key), f"unknown key {key!r} ({nearest(key, known)})")
