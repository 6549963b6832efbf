"""The key `licences` of a family file: what is stated of data files and of models, and what is overridden."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lineal.errors import UsageError
from lineal.family.file.located_yaml import Faults, KeyPath
from lineal.family.file.recipe import FamilyLicences, ModelRecipe
from lineal.lineage.licensing.graph import Statement
from lineal.lineage.licensing.records import GIVEN, OVERRIDE
from lineal.lineage.records import licences
from lineal.methods.method import nearest
from lineal.shown import quoted

_PLACE: KeyPath = ("licences",)


def read_licences(value: Any, faults: Faults, recipes: Mapping[str, ModelRecipe], folder: Path) -> FamilyLicences:
    """`{data: {FILE: ID}, models: {NAME: ID or {override: ID, because: TEXT}}}`; files as recipes name them."""
    body = faults.mapping(value, _PLACE, "licences")
    faults.unknown_keys(body, _PLACE, ("data", "models"))
    used = {path for recipe in recipes.values() for path in recipe.data}
    data: dict[Path, Statement] = {}
    for file, written in faults.mapping(body.get("data", {}), (*_PLACE, "data"), "licences: data").items():
        keys, path = (*_PLACE, "data", file), folder / Path(file).expanduser()
        if path not in used:
            hint = nearest(file, sorted(one.name for one in used))
            faults.add(keys, f"licences: no model of this family is made on {quoted(file)} ({hint})")
        stated = faults.attempt(keys, lambda written=written, file=file: _given(file, written))
        if stated is not None:
            data[path] = stated
    models: dict[str, Statement] = {}
    for name, written in faults.mapping(body.get("models", {}), (*_PLACE, "models"), "licences: models").items():
        keys = (*_PLACE, "models", name)
        if name not in recipes:
            faults.add(keys, f"licences: unknown model {quoted(name)} ({nearest(name, recipes)})")
        stated = faults.attempt(keys, lambda written=written, name=name: _of_model(name, written))
        if stated is not None:
            models[name] = stated
    return FamilyLicences(data, models)


def override_of(written: str) -> Statement:
    """An override as a command line has it: `apache-2.0: agreed with the authors`."""
    licence, _, because = written.partition(":")
    if not licence.strip() or not because.strip():
        raise UsageError(
            f"an override is 'LICENCE: REASON', such as 'apache-2.0: agreed with its authors', got {quoted(written)}"
        )
    return _override(licence.strip(), because.strip())


def _of_model(name: str, written: Any) -> Statement:
    if not isinstance(written, dict):
        return _given(name, written)
    body = cast(dict[str, Any], written)
    if set(body) != {"override", "because"} or not all(isinstance(one, str) and one.strip() for one in body.values()):
        raise UsageError(
            f"licences: {name}: an identifier is needed, or {{override: ID, because: TEXT}}, got {quoted(written)}"
        )
    return _override(body["override"], body["because"])


def _given(about: str, written: Any) -> Statement:
    if not isinstance(written, str):
        raise UsageError(f"licences: {about}: an identifier is needed, such as apache-2.0, got {quoted(written)}")
    return Statement(licences.given(written), GIVEN)


def _override(licence: str, because: str) -> Statement:
    return Statement(licences.given(licence), OVERRIDE, override=True, because=because)
