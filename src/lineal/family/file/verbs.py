"""The verbs of a family file: a recipe from the body of each, and a fault for everything wrong in it."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, cast, final

from lineal.derivation.step import Kind, Role
from lineal.errors import MethodError, UsageError
from lineal.family.file.layout import LAYOUT_WORDS, in_layout
from lineal.family.file.located_yaml import Faults, KeyPath, Located
from lineal.family.file.mergekit.document import KEYS, read_document
from lineal.family.file.mergekit.references import References
from lineal.family.file.recipe import ModelRecipe, Origin, Reference
from lineal.family.hub.repository import COMMIT
from lineal.family.names import is_path
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method
from lineal.methods.quantize.by_scheme import method_of_scheme
from lineal.shown import quoted

Body: TypeAlias = Mapping[str, Any]


@final
class VerbReader:
    """Reads what stands under each verb; places are those of the file, paths start from its folder."""

    def __init__(self, document: Located, faults: Faults) -> None:
        self._document, self._faults = document, faults
        self._folder = document.path.resolve().parent
        self._mistyped: dict[KeyPath, dict[str, str]] = {}
        """Place -> unknown keys there, and what each was probably meant to be, which is not missed on top of that."""
        self.verbs: Mapping[str, Callable[[str, KeyPath, Body], ModelRecipe | None]] = {
            "original": self._original,
            "finetune": self._finetune,
            "distill": self._distill,
            "merge": self._merge,
            "prune": self._prune,
            "quantize": self._quantize,
        }

    def data_file(self, written: Any, keys: KeyPath, what: str) -> Path:
        path = self._path(written)
        if not path.is_file():
            self._faults.add(keys, f"{what}: no data file {path}")
        return path

    def _original(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe | None:
        if "train" in body:
            self._faults.unknown_keys(body, keys, ("train",))
            training = self._faults.mapping(body["train"], (*keys, "train"), f"{name}: train")
            keys = (*keys, "train")
            method = self._method("original", training.get("method", "train"), keys, training, ("data", "method"))
            return self._recipe(name, "original", keys, method=method, data=self._data(training, keys))
        self._faults.unknown_keys(body, keys, ("path", "hub", "revision"))
        if ("path" in body) == ("hub" in body):
            self._faults.add(keys, f"{name}: an original needs one of path, hub or train")
            return None
        if "path" in body:
            return self._recipe(name, "original", keys, origin=Origin(path=self._path(body["path"])))
        revision = body.get("revision")
        if not isinstance(revision, str) or not COMMIT.fullmatch(revision):
            self._faults.add(keys, f"{name}: hub needs a revision, the 40 hex digits of a commit: a branch can move")
        return self._recipe(name, "original", keys, origin=Origin(hub=str(body["hub"]), revision=str(revision)))

    def _finetune(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe:
        method = self._method("fine-tune", body.get("method", "lora"), keys, body, ("parent", "data", "method"))
        inputs = self._one("parent", body, "parent", keys)
        return self._recipe(name, "fine-tune", keys, inputs=inputs, method=method, data=self._data(body, keys))

    def _distill(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe:
        student, cut = self._student(body, keys)
        known = ("teachers", "student", "data", "method")
        method = self._method("distillation", body.get("method", "distill"), keys, {**body, **cut}, known)
        teachers = self._many("teacher", body, "teachers", keys)
        self._check_models(method, teachers, (*keys, "teachers"), name)
        inputs = (*teachers, *student)
        return self._recipe(name, "distillation", keys, inputs=inputs, method=method, data=self._data(body, keys))

    def _student(self, body: Body, keys: KeyPath) -> tuple[tuple[Reference, ...], Body]:
        """A model, or {parent: model, layers: ...}: then the layers are an option of the method."""
        given = body.get("student")
        if not isinstance(given, dict):
            return self._one("student", body, "student", keys), {}
        cut, keys = cast(Body, given), (*keys, "student")
        self._faults.unknown_keys(cut, keys, ("parent", "layers"))
        layers = {key: value for key, value in cut.items() if key == "layers"}
        return self._one("student", cut, "parent", keys), layers

    def _merge(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe | None:
        if "merge_method" in body:
            return self._mergekit(name, keys, body)
        known = ("parents", "base", "method", "data", "allow_nonfinite", "layout")
        method = self._method("merge", body.get("method"), keys, body, known)
        base = self._one("base", body, "base", keys) if "base" in body else ()
        parents = self._many("parent", body, "parents", keys)
        self._check_models(method, parents, (*keys, "parents"), name)
        data = self._data(body, keys) if "data" in body else ()
        if data or "data" not in body:
            self._check_data(method, data, keys, name)
        allow = self._allow_nonfinite(name, keys, body)
        inputs = (*base, *parents)
        if method is not None and "layout" in body:
            method = self._in_layout(method, inputs, body["layout"], (*keys, "layout"))
        return self._recipe(name, "merge", keys, inputs=inputs, method=method, data=data, allow_nonfinite=allow)

    def _mergekit(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe | None:
        """A merge as mergekit writes it; its models are those of the family, or known from elsewhere."""
        self._faults.unknown_keys(body, keys, (*KEYS, "allow_nonfinite"))
        read = read_document(body, keys, self._faults, References(self._faults, self._without_revision))
        if read is None:
            return None
        method, inputs = read
        allow = self._allow_nonfinite(name, keys, body)
        return self._recipe(name, "merge", keys, inputs=inputs, method=method, allow_nonfinite=allow)

    def _prune(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe:
        return self._of_one_parent("prune", "magnitude", name, keys, body)

    def _quantize(self, name: str, keys: KeyPath, body: Body) -> ModelRecipe:
        """The method follows from the scheme where it is left out; importance matrices are GGUF's, texts others'."""
        by_scheme = self._faults.attempt((*keys, "scheme"), lambda: method_of_scheme(body.get("scheme")))
        by_method = body.get("method", by_scheme or "gguf")
        key = "imatrix" if by_method == "gguf" else "data"
        data = self._data_of_quantization(body, keys, key, name)
        recipe = self._of_one_parent("quantize", by_method, name, keys, body, key, data=data)
        self._check_data(recipe.method, data, keys, name, key)
        return recipe

    def _data_of_quantization(self, body: Body, keys: KeyPath, key: str, name: str) -> tuple[Path, ...]:
        if key not in body:
            return ()
        return (self.data_file(body[key], (*keys, key), name),) if key == "imatrix" else self._data(body, keys)

    def _of_one_parent(
        self, kind: Kind, default: str, name: str, keys: KeyPath, body: Body, *others: str, data: tuple[Path, ...] = ()
    ) -> ModelRecipe:
        """others: keys beside those that all have."""
        known = ("parent", "method", "allow_nonfinite", *others)
        method = self._method(kind, body.get("method", default), keys, body, known)
        inputs = self._one("parent", body, "parent", keys)
        allow = self._allow_nonfinite(name, keys, body)
        return self._recipe(name, kind, keys, inputs=inputs, method=method, data=data, allow_nonfinite=allow)

    def _recipe(self, name: str, kind: Kind, keys: KeyPath, **fields: Any) -> ModelRecipe:
        return ModelRecipe(name=name, kind=kind, line=self._document.line(keys), **fields)

    def _method(self, kind: Kind, name: Any, keys: KeyPath, body: Body, structure: tuple[str, ...]) -> Method | None:
        """The method that the body's options make; `structure` names the keys that are not options."""
        if name is None:
            self._name_unknown(keys, body, structure, likely=("method",))
            self._miss("method", keys, f"{keys[1]}: method is needed")
            return None
        try:
            method = find_method(kind, name)
        except MethodError as error:
            self._faults.add((*keys, "method"), f"{keys[1]}: {error}")
            return None
        self._name_unknown(keys, body, (*structure, *method.option_names()), likely=structure)
        options = {key: value for key, value in body.items() if key not in {*structure, *self._mistyped.get(keys, ())}}
        try:
            return method.from_options(options)
        except MethodError as error:
            culprit = next((key for key in options if key in str(error)), "method")
            self._faults.add((*keys, culprit), f"{keys[1]}: {error}")
            return None

    def _name_unknown(self, keys: KeyPath, body: Body, known: Sequence[str], likely: Sequence[str]) -> None:
        """A fault for each key that is probably one of the `likely` ones; an option's is told with the others'."""
        for key in body:
            meant = () if key in known else get_close_matches(key, known, n=1, cutoff=0.5)
            if meant and meant[0] in likely and meant[0] not in body:
                self._mistyped.setdefault(keys, {})[key] = meant[0]
                self._faults.add((*keys, key), f"{keys[1]}: unknown key {quoted(key)} (did you mean {meant[0]}?)")

    def _miss(self, key: str, keys: KeyPath, message: str) -> None:
        """A fault of a key that is not there, unless it is, under a name that has been told already."""
        if key not in self._mistyped.get(keys, {}).values():
            self._faults.add((*keys, key), message)

    def _check_models(self, method: Method | None, models: tuple[Reference, ...], keys: KeyPath, name: str) -> None:
        try:
            if method is not None and models:
                method.check_models(len(models))
        except MethodError as error:
            self._faults.add(keys, f"{name}: {error}")

    def _check_data(
        self, method: Method | None, data: tuple[Path, ...], keys: KeyPath, name: str, key: str = "data"
    ) -> None:
        try:
            if method is not None:
                method.check_recipe(len(data))
        except MethodError as error:
            self._faults.add((*keys, key), f"{name}: {error}")

    def _allow_nonfinite(self, name: str, keys: KeyPath, body: Body) -> bool:
        allow = body.get("allow_nonfinite", False)
        if not isinstance(allow, bool):
            self._faults.add(
                (*keys, "allow_nonfinite"), f"{name}: allow_nonfinite must be true or false, got {quoted(allow)}"
            )
        return allow is True

    def _data(self, body: Body, keys: KeyPath) -> tuple[Path, ...]:
        given = body.get("data")
        files = cast(list[Any], given if isinstance(given, list) else [given])
        if given is None or not all(isinstance(file, str) for file in files):
            self._miss("data", keys, f"{keys[1]}: data must be a file or a list of files, got {quoted(given)}")
            return ()
        return tuple(self.data_file(file, (*keys, "data"), str(keys[1])) for file in files)

    def _path(self, written: Any) -> Path:
        return self._folder / Path(str(written)).expanduser()

    def _one(self, role: Role, body: Body, key: str, keys: KeyPath) -> tuple[Reference, ...]:
        """The one model that a key names; none after a fault."""
        named = body.get(key)
        if not isinstance(named, str) or not named:
            self._miss(key, keys, f"{keys[1]}: {key} must name a model, got {quoted(named)}")
            return ()
        return (Reference(role, self._from_here(named)),)

    def _many(self, role: Role, body: Body, key: str, keys: KeyPath) -> tuple[Reference, ...]:
        """The models that a key names, in order; a single name is a list of one."""
        given = body.get(key)
        named = cast(list[Any], given if isinstance(given, list) else [given])
        if not named or not all(isinstance(name, str) and name for name in named):
            self._miss(key, keys, f"{keys[1]}: {key} must name models, got {quoted(given)}")
            return ()
        return tuple(Reference(role, self._from_here(name)) for name in named)

    def _from_here(self, model: str) -> str:
        """A model's path starts from the file's folder, as every path in it; a name is a name."""
        if not is_path(model):
            return model
        path = str(self._document.path.parent / Path(model).expanduser())
        return path if is_path(path) else f"./{path}"

    def _in_layout(
        self, method: Method, inputs: tuple[Reference, ...], written: object, keys: KeyPath
    ) -> Method | None:
        if isinstance(written, str) and written not in LAYOUT_WORDS:
            written = self._from_here(written)
        return self._faults.attempt(keys, lambda: in_layout(method, inputs, written))

    def _without_revision(self, model: str, revision: str | None) -> str:
        if revision is not None:
            raise UsageError(f"{model}@{revision}: name an original of this file, {{hub: ..., revision: ...}}, instead")
        return self._from_here(model)
