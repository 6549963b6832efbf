"""The licences of a family before anything of it is built, and what of them the registry keeps afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, final

from lineal.checkpoint.content.hashing import hash_file
from lineal.checkpoint.inside import resolved
from lineal.checkpoint.licence.stated import StatedLicence
from lineal.errors import UsageError
from lineal.family.file.recipe import Family, ModelRecipe
from lineal.family.names import is_path
from lineal.family.session import LocalModel, Session
from lineal.lineage.licensing import effective
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.licensing.graph import Judgement, Licensed, LicensedData, Statement, judge
from lineal.lineage.records.licences import AND, UNKNOWN, identifiers
from lineal.lineage.tables import models

Key: TypeAlias = str | bytes
"""A model by its name in the family or its place, or one that the registry knows by its hash."""


def judge_family(
    session: Session, family: Family, recipes: Iterable[ModelRecipe], originals: Mapping[str, LocalModel]
) -> dict[str, Judgement]:
    """The effective licence of each of these models as it will be; no weights are read."""
    lookup = _Lookup(session, family, originals)
    return {recipe.name: judge(recipe.name, lookup) for recipe in recipes}


def keep_statements(session: Session, family: Family, recipe: ModelRecipe, model: bytes) -> None:
    """Let the registry know what the family file states of a model that is there now, and of its data."""
    statement = family.licences.models.get(recipe.name)
    if statement is not None and statement.override:
        licence_records.override(session.registry, model, statement.licence, statement.because)
    elif statement is not None:
        licence_records.state(session.registry, model, statement.licence)
    for path in recipe.data:
        if path in family.licences.data:
            digest = hash_file(path, session.memory)
            licence_records.state_data(session.registry, digest, family.licences.data[path].licence)


@final
class _Lookup:
    """What is stated of a model and what it is made from: by the family, by files beside it, by the registry."""

    def __init__(self, session: Session, family: Family, originals: Mapping[str, LocalModel]) -> None:
        self._session, self._family, self._originals = session, family, originals
        self._registered: dict[bytes, Licensed[bytes]] = {}
        with session.registry.reading() as connection:
            self._at = models.lying_at(connection, [local.path for local in originals.values()])

    def __call__(self, key: Key) -> Licensed[Key]:
        if isinstance(key, bytes):
            return _widened(self._known(key))
        recipe = self._family.models.get(key)
        if recipe is None:
            return self._outside(key)
        if recipe.origin is None:
            inputs: tuple[Key, ...] = tuple(reference.model for reference in recipe.inputs)
            data = tuple(LicensedData(path, path.name, self._of_data(path)) for path in recipe.data)
            return Licensed(key, self._family.licences.models.get(key), inputs, data)
        return _stated_too(self._placed(key, self._originals[key]), self._family.licences.models.get(key))

    def _known(self, model: bytes) -> Licensed[bytes]:
        if model not in self._registered:
            with self._session.registry.reading() as connection:
                self._registered |= effective.licensed(connection, model)
        return self._registered[model]

    def _outside(self, reference: str) -> Licensed[Key]:
        if is_path(reference):
            return self._placed(reference, self._session.open(resolved(Path(reference)).name, Path(reference)))
        return replace(_widened(self._known(self._session.registry.resolve(reference))), label=reference)

    def _placed(self, label: str, local: LocalModel) -> Licensed[Key]:
        """A model on this disk: as the registry knows it, where it does, with what lies beside it now."""
        beside = _statement(local.stated_licence)
        digest = self._registered_as(local)
        if digest is not None:
            known = self._known(digest)
            return _widened(replace(known, label=label, statement=known.statement or beside))
        bases = [local.base_hash] if local.base_hash and self._session.registry.knows(local.base_hash) else []
        return Licensed(label, beside, tuple(bases))

    def _registered_as(self, local: LocalModel) -> bytes | None:
        """What the registry knows it as, by remembered hashes, else by its place; weights are not read for this."""
        if local.checkpoint.headers_only:
            return None
        hashes = self._session.recall(local).hashes
        if hashes is None and local.path in self._at:
            return self._at[local.path]
        if hashes is None:
            with self._session.registry.reading() as connection:
                return models.at(connection, local.path)
        return hashes.manifest.model_hash if self._session.registry.knows(hashes.manifest.model_hash) else None

    def _of_data(self, path: Path) -> Statement | None:
        if path in self._family.licences.data:
            return self._family.licences.data[path]
        digest = hash_file(path, self._session.memory)
        with self._session.registry.reading() as connection:
            return licence_records.of_data(connection, [digest]).get(digest)


def _stated_too(model: Licensed[Key], stated: Statement | None) -> Licensed[Key]:
    """An original with what the family file says of it, which may not contradict what it says itself."""
    known = model.statement
    if stated is None or stated.override or known is None or UNKNOWN in identifiers(known.licence):
        return replace(model, statement=stated or known)
    if identifiers(known.licence) != identifiers(stated.licence):
        said = AND.join(identifiers(known.licence))
        raise UsageError(
            f"{model.label}: the family file says {stated.licence}, but it is {said} ({known.source}); "
            f"if that is to hold, it is an override and has a reason: {{override: {stated.licence}, because: ...}}"
        )
    return model


def _widened(model: Licensed[bytes]) -> Licensed[Key]:
    return Licensed(model.label, model.statement, tuple(model.inputs), model.data)


def _statement(stated: StatedLicence | None) -> Statement | None:
    return None if stated is None else Statement(stated.licence, stated.source)
