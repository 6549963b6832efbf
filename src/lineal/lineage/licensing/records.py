"""Licences in the registry: what was found beside a model, and what people state of models and of data files."""

import json
from collections.abc import Iterable, Iterator, Mapping

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import check_hash, format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import rows_for
from lineal.lineage.licensing.graph import Statement
from lineal.lineage.records import licences
from lineal.lineage.records.licences import AND, UNKNOWN, identifiers
from lineal.lineage.registry import Registry
from lineal.lineage.tables import journal, models

GIVEN, OVERRIDE = "given", "override"
"""The bases of what people state; beside them stands what was found."""
_STATED = "stated"

_OF_MODELS = """
    SELECT model_hash, basis, model_licence.licence, source FROM model_licence JOIN model ON model.id = model_id
    WHERE model_hash IN :values ORDER BY model_id, basis
"""
_SET_MODEL = """
    INSERT INTO model_licence (model_id, basis, licence, source) VALUES (:model_id, :basis, :licence, :source)
    ON CONFLICT (model_id, basis) DO UPDATE SET licence = excluded.licence, source = excluded.source
"""
_SET_DATA = """
    INSERT INTO data_licence (data_hash, licence) VALUES (:data_hash, :licence)
    ON CONFLICT (data_hash) DO UPDATE SET licence = excluded.licence
"""


def state(registry: Registry, model: bytes, licence: str) -> None:
    """State a model's own licence, where what lies beside it names none; else that takes an override."""
    with registry.writing() as connection:
        found = _rows(connection, [model]).get(model, {}).get("found")
        spelled = licences.given(licence)
        if found is not None and UNKNOWN not in identifiers(found[0]) and identifiers(found[0]) != identifiers(spelled):
            raise UsageError(
                f"{found[1]} says {AND.join(identifiers(found[0]))}, not {spelled}: "
                "an override, with its reason, is needed for that"
            )
        _set_model(connection, model, GIVEN, spelled, "")


def override(registry: Registry, model: bytes, licence: str, because: str) -> None:
    """Let a licence hold for a model and what is made from it, whatever it was made from."""
    spelled = licences.given(licence)
    if not because.strip():
        raise UsageError("an override of a licence needs a reason")
    with registry.writing() as connection:
        _set_model(connection, model, OVERRIDE, spelled, because)


def withdraw(registry: Registry, model: bytes) -> int:
    """Take back what people stated of a model; how much that was. What was found beside it stands."""
    with registry.writing() as connection, sealed(connection, ["model_licence"], [model]):
        stated = [basis for basis in _rows(connection, [model]).get(model, {}) if basis != "found"]
        for basis in stated:
            statement = "DELETE FROM model_licence WHERE model_id = :model_id AND basis = :basis"
            _ = connection.execute(statement, {"model_id": models.key(connection, model), "basis": basis})
            _note(connection, {"model": format_hash(model), "basis": basis, "licence": None, "because": ""})
        return len(stated)


def state_data(registry: Registry, data_hash: bytes, licence: str) -> None:
    """State the licence of a data file, by its content; the last statement holds."""
    spelled, row = licences.given(licence), {"data_hash": check_hash(data_hash)}
    with registry.writing() as connection:
        query = "SELECT licence FROM data_licence WHERE data_hash = :data_hash"
        if connection.execute(query, row).scalar_one_or_none() == spelled:
            return
        with sealed(connection, ["data_licence"], [data_hash]):
            _ = connection.execute(_SET_DATA, {**row, "licence": spelled})
            _note(connection, {"data": format_hash(data_hash), "basis": GIVEN, "licence": spelled, "because": ""})


def of_models(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, Statement]:
    """What holds for each of those of these models of which something is stated: an override, else all together."""
    return {model: _together(stated) for model, stated in _rows(connection, hashes).items()}


def of_data(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, Statement]:
    """What is stated of those of these data files of which something is."""
    query = "SELECT data_hash, licence FROM data_licence WHERE data_hash IN :values ORDER BY data_hash"
    return {digest: Statement(licence, _STATED) for digest, licence in rows_for(connection, query, set(hashes))}


def faults(connection: Connection) -> Iterator[str]:
    """Where what people stated differs from what the journal says last of it."""
    query = 'SELECT content FROM journal WHERE content LIKE \'%"change":"licence"%\' ORDER BY id'
    said: dict[tuple[str, str], tuple[str, str]] = {}
    for (content,) in connection.execute(query):
        change: dict[str, Json] = json.loads(content)
        about = str(change.get("model") or change.get("data")), str(change.get("basis"))
        if change.get("licence") is None:
            _ = said.pop(about, None)
        else:
            said[about] = str(change["licence"]), str(change.get("because"))
    standing = _standing(connection)
    for subject, basis in dict.fromkeys([*said, *standing]):
        journaled, kept = said.get((subject, basis)), standing.get((subject, basis))
        if journaled != kept:
            words = [one[0] if one else "nothing" for one in (journaled, kept)]
            yield f"{subject[:11]}: the journal says that its licence is {words[0]} ({basis}), the registry {words[1]}"


def _standing(connection: Connection) -> dict[tuple[str, str], tuple[str, str]]:
    query = """
        SELECT model_hash, basis, model_licence.licence, source FROM model_licence
        JOIN model ON model.id = model_id WHERE basis <> 'found'
        UNION ALL SELECT data_hash, 'given', licence, '' FROM data_licence
    """
    rows = connection.execute(query)
    return {(format_hash(subject), basis): (licence, because) for subject, basis, licence, because in rows}


def _rows(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, dict[str, tuple[str, str]]]:
    found: dict[bytes, dict[str, tuple[str, str]]] = {}
    for model, basis, licence, source in rows_for(connection, _OF_MODELS, hashes):
        found.setdefault(model, {})[basis] = licence, source
    return found


def _together(stated: Mapping[str, tuple[str, str]]) -> Statement:
    if OVERRIDE in stated:
        licence, because = stated[OVERRIDE]
        return Statement(licence, OVERRIDE, override=True, because=because)
    said = [licence for licence, _ in stated.values()]
    known = [licence for licence in said if UNKNOWN not in identifiers(licence)]
    sources = [source or _STATED for _, source in stated.values()]
    return Statement(AND.join(known or said), " and ".join(sources))


def _set_model(connection: Connection, model: bytes, basis: str, licence: str, because: str) -> None:
    if _rows(connection, [model]).get(model, {}).get(basis) == (licence, because):
        return
    row = {"model_id": models.key(connection, model), "basis": basis, "licence": licence, "source": because}
    with sealed(connection, ["model_licence"], [model]):
        _ = connection.execute(_SET_MODEL, row)
        _note(connection, {"model": format_hash(model), "basis": basis, "licence": licence, "because": because})


def _note(connection: Connection, change: Mapping[str, Json]) -> None:
    journal.append(connection, {"change": "licence", "name": None, **change})
