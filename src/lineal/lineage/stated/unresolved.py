"""Models that a card or a config names and nobody has brought: placeholders in the registry, until somebody does."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from blake3 import blake3

from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection
from lineal.lineage.database.seals import sealed
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Name, StepRecord
from lineal.lineage.registry import Registry
from lineal.lineage.tables import models, names

_CONTEXT = b"lineal.unresolved.1"
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+|\.\.+")
_UNNAMED = "unresolved"

_DELETE_STEP = (
    "DELETE FROM step_data WHERE step_id IN ({step})",
    "DELETE FROM signature WHERE step_id IN ({step})",
    "DELETE FROM inference WHERE step_id IN ({step})",
    "DELETE FROM step_input WHERE step_id IN ({step})",
    "DELETE FROM step WHERE id IN ({step})",
)
_OF_CHILD = """
    SELECT step.id FROM step JOIN model ON model.id = child_id
    WHERE derivation_id = :derivation_id AND model_hash = :child AND evidence = 'claimed'
"""
_DELETE_PLACEHOLDER = """
    DELETE FROM model WHERE model_hash = :model AND weights_hash IS NULL
        AND NOT EXISTS (SELECT 1 FROM step_input WHERE model_id = model.id)
        AND NOT EXISTS (SELECT 1 FROM step WHERE child_id = model.id)
        AND NOT EXISTS (SELECT 1 FROM name WHERE model_id = model.id)
        AND NOT EXISTS (SELECT 1 FROM version WHERE model_id = model.id)
        AND NOT EXISTS (SELECT 1 FROM taint WHERE model_id = model.id)
        AND NOT EXISTS (SELECT 1 FROM model_licence WHERE model_id = model.id)
        AND NOT EXISTS (SELECT 1 FROM evaluation WHERE model_id = model.id OR reference_id = model.id)
"""


def placeholder_hash(reference: str) -> bytes:
    """What stands for a model of which only a name is known: BLAKE3 of a tag and that name as it is written."""
    return blake3(_CONTEXT + reference.encode(errors="surrogateescape")).digest()


def name_of(reference: str) -> tuple[str, str]:
    """The family and name that a reference reads as: `org/name` is org:name."""
    parts = [part for part in reference.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    *_, family, name = (_UNNAMED, _UNNAMED, *parts) if len(parts) != 1 else (_UNNAMED, *parts)
    return _plain(family), _plain(name)


def known_as(registry: Registry, reference: str) -> bytes | None:
    """The model that `org/name`, or a name, stands for here; None where it is unknown, or a placeholder as yet."""
    family, name = name_of(reference)
    try:
        found = registry.resolve(f"{family}:{name}" if "/" in reference else reference)
    except UsageError:
        downloads = [known for known in registry.names() if known.name.startswith(f"{family}--{name}-")]
        distinct = {known.model_hash for known in downloads}  # a recipe names what it downloads ORG--NAME-COMMIT
        return distinct.pop() if len(distinct) == 1 else None
    return None if found == placeholder_hash(reference) else found


def mention(registry: Registry, reference: str) -> bytes:
    """Know a model by its name alone; a name that stands for another model already is not taken from it."""
    model = placeholder_hash(reference)
    family, name = name_of(reference)
    with registry.writing() as connection:
        _ = models.mention(connection, [model])
        if all(known.name != name for known in names.names(connection, family)):
            names.set_names(connection, [Name(family, name, model)])
    return model


def settle(registry: Registry, child: bytes, replaced: Iterable[StepRecord], resolved: Mapping[str, bytes]) -> None:
    """Take back claimed steps of a model whose parents are known by now; resolved: reference -> what it turned out as.

    The placeholders' names go over to the models; placeholders that nothing refers to any more are gone.
    """
    claimed = [record for record in replaced if record.evidence is Evidence.CLAIMED]
    with registry.writing() as connection:
        with (
            sealed(connection, ["step"], {record.step.derivation_id for record in claimed}),
            sealed(connection, ["signature"], [child]),
        ):
            for record in claimed:
                row = {"derivation_id": record.step.derivation_id, "child": child}
                for statement in _DELETE_STEP:
                    _ = connection.execute(statement.format(step=_OF_CHILD), row)
        for reference, model in resolved.items():
            _hand_over(connection, placeholder_hash(reference), model)


def _hand_over(connection: Connection, placeholder: bytes, model: bytes) -> None:
    known = names.names_of(connection, [placeholder]).get(placeholder, ())
    names.set_names(connection, (replace(name, model_hash=model) for name in known))
    _ = connection.execute(_DELETE_PLACEHOLDER, {"model": placeholder})


def _plain(part: str) -> str:
    return _STRANGE.sub("-", part).lstrip(".-") or _UNNAMED
