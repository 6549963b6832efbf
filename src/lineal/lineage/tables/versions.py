"""Versions of names in the registry: each of one model for good, moved from stage to stage, with tags and metrics."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash
from lineal.errors import UsageError
from lineal.lineage.database.connection import Connection, Row
from lineal.lineage.database.domains import row_of
from lineal.lineage.database.seals import sealed
from lineal.lineage.database.statements import execute_each, rows_for
from lineal.lineage.records.records import ModelVersion, Name
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import STAGES, Stage
from lineal.lineage.tables import journal, models
from lineal.lineage.tables.names import listed, shortened
from lineal.shown import quoted

_SELECT = """
    SELECT version.id, family, name, semver, model_hash, stage, quality_score, created
    FROM version JOIN name ON name.id = name_id JOIN model ON model.id = version.model_id
"""
_OF_NAME = f"{_SELECT} WHERE family = :family AND name = :name ORDER BY version.id"
_OF_MODELS = f"{_SELECT} WHERE model_hash IN :values ORDER BY name_id, version.id"
_TAGS = "SELECT version_id, tag FROM version_tag WHERE version_id IN :values ORDER BY tag"
_METRICS = "SELECT version_id, metric, figure FROM version_metric WHERE version_id IN :values ORDER BY metric"

_WRITE = """
    INSERT INTO version (name_id, semver, model_id, stage, quality_score, created)
    VALUES ((SELECT id FROM name WHERE family = :family AND name = :name), :semver, :model_id, :stage, :quality_score,
        :created)
    ON CONFLICT (name_id, semver) DO UPDATE SET stage = excluded.stage, quality_score = excluded.quality_score
    RETURNING id
"""
_ADD_TAG = "INSERT INTO version_tag (version_id, tag) VALUES (:id, :tag)"
_ADD_METRIC = "INSERT INTO version_metric (version_id, metric, figure) VALUES (:id, :metric, :figure)"


def add(
    connection: Connection,
    name: Name,
    version: SemanticVersion,
    tags: tuple[str, ...] = (),
    untag: tuple[str, ...] = (),
    quality_score: float | None = None,
    metrics: Mapping[str, float] | None = None,
    aliases: tuple[str, ...] = (),
) -> ModelVersion:
    """Give the model that a name comes with a version, or say more of one that it has.

    aliases: tags that are taken from the name's other versions.
    """
    fresh = ModelVersion(name.family, name.name, version, name.model_hash, created=time.time())
    others = of_name(connection, name)
    known = next((v for v in others if str(v.version) == str(version)), fresh)
    if known.model_hash != name.model_hash:
        raise UsageError(
            f"{known} is {shortened(known.model_hash)} for good, it cannot become {shortened(name.model_hash)}: "
            f"choose another version, or name the model {known}"
        )
    for tag in untag:
        if tag not in known.tags:
            raise UsageError(f"{known} has no tag {quoted(tag)} to take away (tags: {', '.join(known.tags) or 'none'})")
        if tag in (*tags, *aliases):
            raise UsageError(f"{known}: {quoted(tag)} cannot be given and taken away at once")
    said = replace(
        known,
        tags=tuple(sorted({*known.tags, *tags, *aliases} - {*untag})),
        quality_score=known.quality_score if quality_score is None else quality_score,
        metrics=dict(sorted({**known.metrics, **(metrics or {})}.items())),
    )
    for other in others:
        if other is not known and {*other.tags} & {*aliases}:
            _ = _write(connection, replace(other, tags=tuple(tag for tag in other.tags if tag not in aliases)))
    return _write(connection, said)


def promote(connection: Connection, known: ModelVersion, stage: Stage) -> ModelVersion:
    """Move a version a step on or back; it as it stands then."""
    if stage not in known.stage.next_stages:
        allowed = " or ".join(allowed.value for allowed in known.stage.next_stages)
        raise UsageError(f"{known} is in {known.stage.value}: from there it goes to {allowed}, not to {stage.value}")
    return _write(connection, replace(known, stage=stage))


def of_name(connection: Connection, name: Name) -> tuple[ModelVersion, ...]:
    """The versions of a name, the highest first."""
    rows = connection.execute(_OF_NAME, {"family": name.family, "name": name.name})
    return _highest_first(_versions(connection, rows.all()))


def of_models(connection: Connection, hashes: Iterable[bytes]) -> dict[bytes, tuple[ModelVersion, ...]]:
    """The versions of each of these models, by whatever name, the highest first."""
    found: dict[bytes, list[ModelVersion]] = {}
    for version in _versions(connection, list(rows_for(connection, _OF_MODELS, hashes))):
        found.setdefault(version.model_hash, []).append(version)
    return {model: _highest_first(versions) for model, versions in found.items()}


def selected(connection: Connection, name: Name, selector: str) -> ModelVersion:
    """The version of a name that a number means, or a stage, of which the highest is taken, or a tag."""
    known = of_name(connection, name)
    found, asked = _matching(known, selector)
    if not found:
        raise UsageError(
            f"{name} has no version {asked}: it has {listed(map(_brief, known)) or 'none, lineal tag gives it one'}"
        )
    if len(found) > 1:
        several = ", ".join(str(version.version) for version in found)
        raise UsageError(f"'{name}@{selector}' can mean {len(found)} versions: {several}")
    return found[0]


def _matching(known: Sequence[ModelVersion], selector: str) -> tuple[list[ModelVersion], str]:
    """The versions, highest first, that a selector may mean, and the selector in words."""
    if selector in STAGES:
        staged = [version for version in known if version.stage is STAGES[selector]]
        return [version for version in staged if version.version == staged[0].version], f"in {selector}"
    if selector[:1].isdigit():
        number = str(SemanticVersion.parse(selector))
        return [version for version in known if str(version.version) == number], number
    return [version for version in known if selector in version.tags], f"tagged {quoted(selector)}"


def _brief(version: ModelVersion) -> str:
    return f"{version.version} ({', '.join((version.stage.value, *version.tags))})"


def _write(connection: Connection, version: ModelVersion) -> ModelVersion:
    """Let a version stand as it is here, whether it was there or not; writes come one at a time, so none is lost."""
    with sealed(connection, ("version", "version_tag", "version_metric"), [version.name]):
        return _written(connection, version)


def _written(connection: Connection, version: ModelVersion) -> ModelVersion:
    row = {
        "family": version.family,
        "name": version.name,
        "semver": str(version.version),
        "model_id": models.key(connection, version.model_hash),
        "stage": version.stage.value,
        "quality_score": version.quality_score,
        "created": version.created,
    }
    key: int = connection.execute(_WRITE, row).scalar_one()
    for table in ("version_tag", "version_metric"):
        _ = connection.execute(f"DELETE FROM {table} WHERE version_id = :id", {"id": key})
    execute_each(connection, _ADD_TAG, ({"id": key, "tag": tag} for tag in version.tags))
    metrics = version.metrics.items()
    execute_each(connection, _ADD_METRIC, ({"id": key, "metric": name, "figure": figure} for name, figure in metrics))
    change: dict[str, Json] = {
        "change": "version",
        "name": str(version),
        "model": format_hash(version.model_hash),
        "stage": version.stage.value,
        "tags": list(version.tags),
        "quality_score": version.quality_score,
        "metrics": dict(version.metrics),
    }
    journal.append(connection, change)
    return version


def _versions(connection: Connection, rows: Sequence[Row]) -> list[ModelVersion]:
    keys = [row.id for row in rows]
    tags: dict[int, list[str]] = {}
    for key, tag in rows_for(connection, _TAGS, keys):
        tags.setdefault(key, []).append(tag)
    metrics: dict[int, dict[str, float]] = {}
    for key, metric, figure in rows_for(connection, _METRICS, keys):
        metrics.setdefault(key, {})[metric] = figure
    return [_version(row, tuple(tags.get(row.id, ())), metrics.get(row.id, {})) for row in rows]


def _version(row: Row, tags: tuple[str, ...], metrics: Mapping[str, float]) -> ModelVersion:
    with row_of("version", row.id):
        return ModelVersion(
            family=row.family,
            name=row.name,
            version=SemanticVersion.parse(row.semver),
            model_hash=row.model_hash,
            stage=Stage(row.stage),
            tags=tags,
            quality_score=row.quality_score,
            metrics=metrics,
            created=row.created,
        )


def _highest_first(versions: Iterable[ModelVersion]) -> tuple[ModelVersion, ...]:
    """Ties stay as they stand."""
    return tuple(sorted(versions, key=lambda known: known.version, reverse=True))
