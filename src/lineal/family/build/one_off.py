"""A verb on the command line is a family of one model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from lineal.checkpoint.inside import resolved
from lineal.derivation.step import Kind
from lineal.errors import UsageError
from lineal.family.build.run import run_family
from lineal.family.build.target import check_out
from lineal.family.file.licence_section import override_of
from lineal.family.file.recipe import Family, FamilyLicences, ModelRecipe, Reference
from lineal.family.hub.repository import commit_of
from lineal.family.names import name_of_folder
from lineal.family.session import LocalModel, Session
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method
from lineal.shown import quoted


def derive(session: Session, family: Family, out: Path) -> LocalModel:
    """The family's last model in the folder or file `out`, unless this very derivation lies there already."""
    return run_family(session, family, resolved(out).parent)[name_of_folder(out).name]


def family_of_one(
    kind: Kind,
    method: Method,
    inputs: Sequence[Reference],
    out: Path,
    *,
    data: Sequence[Path] = (),
    allow_nonfinite: bool = False,
) -> Family:
    """The family whose one model is `out`."""
    check_out(out)
    name = name_of_folder(out)
    for path in data:
        if not path.is_file():
            raise UsageError(f"no data file {path}")
    method.check_recipe(len(data))
    recipe = ModelRecipe(
        name=name.name,
        kind=kind,
        inputs=tuple(inputs),
        method=method,
        data=tuple(data),
        allow_nonfinite=allow_nonfinite,
    )
    return Family(name.family, {recipe.name: recipe})


def overridden(family: Family, out: Path, licence: str | None) -> Family:
    """The family with an override of its last model's licence where one is written: `apache-2.0: the reason`."""
    if licence is None:
        return family
    return replace(family, licences=FamilyLicences(models={name_of_folder(out).name: override_of(licence)}))


def family_of_recipe(session: Session, recipe: Path, out: Path, *, allow_nonfinite: bool) -> Family:
    """The family that a file of mergekit's describes, its last model `out`; those of other stages lie beside it."""
    check_out(out)
    from lineal.family.file.mergekit.files import read_mergekit_file

    family = read_mergekit_file(recipe, out, session.knows, commit_of)
    models = {name: replace(model, allow_nonfinite=allow_nonfinite) for name, model in family.models.items()}
    return replace(family, models=models)


def method_from_words(kind: Kind, name: str, words: Sequence[str]) -> Method:
    """The method whose options stand on a command line: --density 0.2 --weights 0.5,0.5 --no-normalize."""
    method = find_method(kind, name)
    return method.from_options(_options(method, list(words)))


def _options(method: type[Method], words: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise UsageError(f"{method.name}: unexpected {quoted(word)}; options are written --name value")
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        negated = name.removeprefix("no_")
        if negated != name and negated in method.option_names():
            options[negated] = False
        elif equals:
            options[name] = _value(method, name, value)
        elif words and not words[0].startswith("--"):
            options[name] = _value(method, name, words.pop(0))
        elif name not in method.option_names() or _type(method, name) == "boolean":  # the unknown is told as that
            options[name] = True
        else:
            raise UsageError(f"{method.name}: {word} needs a value")
    return options


def _type(method: type[Method], option: str) -> object:
    return method.option_schemas().get(option, {}).get("type")


def _value(method: type[Method], name: str, written: str) -> object:
    """Commas separate the items of a list; a list or a mapping may also be written as YAML."""
    if written.startswith(("[", "{")):
        import yaml

        try:
            return cast(object, yaml.safe_load(written))
        except yaml.YAMLError:
            raise UsageError(f"{method.name}: --{name.replace('_', '-')} {quoted(written)} is not YAML") from None
    is_list = _type(method, name) == "array"
    return cast(object, written.split(",") if "," in written or is_list else written)
